"""Live activations of networks that cannot be traced whole.

While a part runs, its own activations are alive, which depend on its widths, and what the rest of the network holds at
that time. The rest does not depend on widths, because nothing that crosses a border does; it is measured on a fixed
image of noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from workers.channels import ChannelMap, Cost, dissect, dtype_of, example_inputs, live_in, without_fast_attention
from workers.channels.trace import bare_copy
from workers.inputs import InputsLike, call
from workers.measure.memory import LiveBytes


def live_around_parts(
    model: nn.Module, inputs: InputsLike, channel_map: ChannelMap, parts: Sequence[str], *, weight: float = 1.0
) -> list[Cost]:
    """Live activations per sample at the steps of a forward pass, as `live_activations`.

    Numbers of other types than the network's count by their bytes.

    Args:
        model: The network; not changed.
        inputs: What it takes.
        channel_map: Its channel groups.
        parts: Dotted names of the parts; at least one.
        weight: Cost of one number.

    Raises:
        BadInputError: As `dissect`.
        ValueError: A part cannot be traced.
    """
    widths, surroundings = channel_map.widths(), _watch(model, inputs, parts)
    unit = weight / dtype_of(model).itemsize
    costs = [Cost(widths, unit * surroundings.peak, [])]
    for piece in dissect(model, inputs, parts).pieces:
        held = unit * surroundings.held[piece.border.where]
        costs += [Cost(widths, held + cost.constant, cost.terms) for cost in live_in(piece, channel_map, weight=weight)]
    return costs


@dataclass(slots=True, kw_only=True)
class _Surroundings:
    """Bytes outside of the parts.

    Attributes:
        peak: Most that are alive while no part runs.
        held: Name of a part -> those alive while it runs, less its inputs.
    """

    peak: int = 0
    held: dict[str, int] = field(default_factory=dict)


def _watch(model: nn.Module, inputs: InputsLike, parts: Sequence[str]) -> _Surroundings:
    shadow, found = bare_copy(model).cpu().eval(), _Surroundings()
    sample = example_inputs(model, inputs, 1)
    live = LiveBytes(shadow, sample)

    def enter(path: str) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            tensors = [leaf for leaf in tree_leaves([args, dict(kwargs)]) if isinstance(leaf, Tensor)]
            found.held[path] = live.now - live.of(tensors)
            found.peak = max(found.peak, live.peak)

        return hook

    def leave(*_: Any) -> None:
        live.peak = live.now

    for path in parts:
        part = shadow.get_submodule(path)
        part.register_forward_pre_hook(enter(path), with_kwargs=True)
        part.register_forward_hook(leave)
    with torch.inference_mode(), torch.random.fork_rng(devices=[]), without_fast_attention(), live:
        call(shadow, sample)
    found.peak = max(found.peak, live.peak)
    return found
