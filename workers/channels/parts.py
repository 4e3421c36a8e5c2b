"""Parts of a network that cannot be traced whole, such as the backbone of a detector.

The whole network runs once on an example, and the inputs of its parts are noted. With them, each part is a network by
itself. What crosses its border stays as it is, so that the rest of the network never sees a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from jobs.errors import BadInputError
from workers.channels.atoms import Obstacle
from workers.channels.example import example_inputs
from workers.channels.headwise import free_heads
from workers.channels.labelling import OUTPUT
from workers.channels.products import MacCounter
from workers.channels.recording import without_fast_attention
from workers.channels.trace import BATCH, Example, bare_copy, meta_copy
from workers.inputs import InputsLike, as_spec, call


@dataclass(frozen=True, slots=True, kw_only=True)
class Traceable:
    """A network that can be traced, or a part of one.

    Attributes:
        network: on the meta device, without hooks, heads of torch's attention freed (see `headwise`); its tensors have
            their names in the whole network.
        example: its inputs.
        border: why the channels of its outputs have to stay.
        idle: whether it got no row of data in the example; it is then traced with a few.
    """

    network: nn.Module
    example: Example
    border: Obstacle = OUTPUT
    idle: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dissection:
    """A network as what can be traced of it.

    Attributes:
        pieces: the whole network, or its parts in order of execution.
        outside: how often one sample is multiplied by every number of a weight, for those outside of the parts; by the
            weight's name.
        inside: the same for those in the parts.
    """

    pieces: tuple[Traceable, ...]
    outside: Mapping[str, int]
    inside: Mapping[str, int]


def dissect(model: nn.Module, inputs: InputsLike, parts: Sequence[str]) -> Dissection:
    """What is to be traced of a network.

    Where there are parts, a copy of the network runs on the CPU, on `BATCH` times the same sample (`example_inputs`).

    Args:
        model: the network.
        inputs: what it takes.
        parts: dotted names of the parts; none where the network is traced whole.

    Raises:
        BadInputError: a name is unknown or lies within another one, or a part is not called exactly once.
        ValueError: the network cannot be run.
    """
    if not parts:
        network = meta_copy(model)
        free_heads(network)
        whole = Traceable(network=network, example=Example.of_inputs(model, inputs))
        return Dissection(pieces=(whole,), outside={}, inside={})
    check_parts(model, parts)
    shadow = bare_copy(model).cpu().eval()
    calls: list[tuple[str, Example]] = []

    def note_call(path: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            calls.append(
                (path, Example(subject=f"part '{path}'", args=_without_data(args), kwargs=_without_data(kwargs)))
            )

        return hook

    for path, module in shadow.named_modules():
        if path in parts:
            module.register_forward_pre_hook(note_call(path), with_kwargs=True)
    with MacCounter(shadow) as counter:
        run_whole(shadow, inputs)
    applied = counter.applications(BATCH)
    _check_calls([path for path, _ in calls], parts)
    bare = bare_copy(model)
    free_heads(bare)
    pieces = (_piece(path, bare.get_submodule(path), example) for path, example in calls)
    inside = {name for name in applied if _is_inside(name, parts)}
    return Dissection(
        pieces=tuple(pieces),
        outside={name: times for name, times in applied.items() if name not in inside},
        inside={name: times for name, times in applied.items() if name in inside},
    )


def applications_of(
    model: nn.Module, inputs: InputsLike, parts: Sequence[str], known: Mapping[str, int]
) -> dict[str, int]:
    """How often one sample is multiplied by every number of a layer's weight, with the weights that a network has.

    How many boxes a detector looks at changes with every weight. Of a weight that the pass does not read as it is, what
    is known of it stands.

    Args:
        model: the network.
        inputs: what it takes.
        parts: dotted names of its parts; at least one.
        known: the same of a network of this structure with other weights, as `ChannelMap.applications`.

    Raises:
        BadInputError, ValueError: as `dissect`.
    """
    found = dissect(model, inputs, parts)
    idle = [piece.border.where for piece in found.pieces if piece.idle]
    within = {name: times for name, times in known.items() if _is_inside(name, parts)}
    return {
        **{name: 0 if _is_inside(name, idle) else found.inside.get(name, times) for name, times in within.items()},
        **found.outside,
    }


def _is_inside(tensor: str, parts: Sequence[str]) -> bool:
    return any(tensor.startswith(f"{part}.") for part in parts)


def run_whole(model: nn.Module, inputs: InputsLike) -> None:
    """Runs a network, in evaluation mode on the CPU, on the example inputs.

    Raises:
        ValueError: the network raised; its error is the cause.
    """
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), without_fast_attention():
            call(model, example_inputs(model, inputs, BATCH))
    except Exception as error:  # whatever the network's own code raises
        message = str(error).strip().splitlines()
        raise ValueError(
            f"{type(model).__name__} cannot be run on samples of {as_spec(inputs)}: "
            f"{type(error).__name__}: {message[0] if message else ''}"
        ) from error


def check_parts(model: nn.Module, parts: Sequence[str]) -> None:
    """Whether a network has these parts.

    Raises:
        BadInputError: a name is unknown, or lies within another one.
    """
    names = {name for name, _ in model.named_modules(remove_duplicate=False) if name}
    for part in parts:
        if part not in names:
            parent = part
            while parent and parent not in names:
                parent = parent.rpartition(".")[0]
            near = [f"{parent}.{name}" if parent else name for name, _ in model.get_submodule(parent).named_children()]
            there = f"'{parent}' has" if parent else "the network has"
            raise BadInputError(
                f"prunable: {type(model).__name__} has no part '{part}'; {there} {', '.join(near) or 'no parts'}"
            )
        inside = [other for other in parts if other.startswith(f"{part}.")]
        if inside or parts.count(part) > 1:
            raise BadInputError(
                f"prunable: '{(inside or [part])[0]}' is part of '{part}', which is named, too; name only one of them"
            )


def _check_calls(called: Sequence[str], parts: Sequence[str]) -> None:
    for part in parts:
        if called.count(part) != 1:
            raise BadInputError(
                f"prunable: the network calls '{part}' {called.count(part)} times in one pass; a part has to be called "
                "exactly once: name a module around it, or one inside of it"
            )


class _Alone(nn.Module):
    """A part by itself, its tensors under the names that they have in the whole network."""

    def __init__(self, path: str, part: nn.Module) -> None:
        super().__init__()
        self._path = path
        *outer, last = path.split(".")
        parent: nn.Module = self
        for name in outer:
            child = nn.Module()
            parent.add_module(name, child)
            parent = child
        parent.add_module(last, part)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the part returns."""
        return self.get_submodule(self._path)(*args, **kwargs)


def _piece(path: str, part: nn.Module, example: Example) -> Traceable:
    leaves = [leaf for leaf in tree_leaves([example.args, dict(example.kwargs)]) if isinstance(leaf, Tensor)]
    idle = any(leaf.ndim and not leaf.shape[0] for leaf in leaves)
    if idle:
        args, kwargs = tree_map(_with_rows, example.args), tree_map(_with_rows, dict(example.kwargs))
        example = replace(example, args=args, kwargs=kwargs)
    reason = f"crosses the border of {path}"
    border = Obstacle(operator="output", where=path, reason=reason)
    return Traceable(network=meta_copy(_Alone(path, part)), example=example, border=border, idle=idle)


def _without_data(values: Any) -> Any:
    return tree_map(lambda leaf: torch.empty_like(leaf, device="meta") if isinstance(leaf, Tensor) else leaf, values)


def _with_rows(leaf: Any) -> Any:
    if isinstance(leaf, Tensor) and leaf.ndim and not leaf.shape[0]:
        return leaf.new_empty(BATCH, *leaf.shape[1:])
    return leaf
