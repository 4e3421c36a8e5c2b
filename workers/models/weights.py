"""Gives a network weights: those of a file, or the ones that a library publishes.

Names and shapes have to agree, and every one that does not is reported.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from jobs.errors import Fault, InvalidFileError
from jobs.weights import CheckpointReading
from workers.models._published import PublishedWeights
from workers.models.checkpoint_files import read_checkpoint
from workers.models.checkpoint_layout import COUNTER, find_tensors

_MOST_HINTS = 20
"""For so many names the nearest ones are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedWeights:
    """What became of weights.

    Attributes:
        layout: How they were found, in words.
        fresh: Layers that kept their own, since those in the file are for another number of classes.
        aside: What else was there.
    """

    layout: str
    fresh: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()


def load_weights(model: nn.Module, path: str, reading: CheckpointReading | None = None) -> LoadedWeights:
    """Copy the tensors of a file into a model, cast to the model's types.

    Where in the file they are, and what their names begin with, is found by the model's names. On an error the model is
    unchanged.

    Args:
        model: The network; its tensors are overwritten in place.
        path: A checkpoint; a local path or any URI that fsspec opens.
        reading: What the user says of its layout; default: nothing.

    Raises:
        BadInputError: The file is not there, cannot be read, or holds no tensors.
        InvalidFileError: Tensors are missing, unexpected or of another shape: all of them, by name.
    """
    reading = reading or CheckpointReading()
    found = find_tensors(read_checkpoint(path), model.state_dict().keys(), reading, source=path)
    try:
        fresh = _fit(model, found.state, path, replace_head=bool(reading.replace_head))
    except InvalidFileError as error:
        if not (found.key or found.prefix or found.aside):
            raise
        aside = f"; left aside: {_some(found.aside)}" if found.aside else ""
        where = Fault(path="", problem=f"read {found.layout}{aside}; weights_key or strip_prefix say otherwise")
        raise InvalidFileError(path, [*error.faults, where]) from None
    return LoadedWeights(layout=found.layout, fresh=fresh, aside=found.aside)


def load_published(model: nn.Module, weights: PublishedWeights, *, replace_head: bool) -> LoadedWeights:
    """Copy published weights into a model.

    Args:
        model: The network; its tensors are overwritten in place.
        weights: The weights.
        replace_head: Whether layers for another number of classes keep the model's own.

    Raises:
        InvalidFileError: Tensors are missing, unexpected or of another shape: all of them, by name.
    """
    expected = model.state_dict().keys()
    spare = [name for name in weights.state if name not in expected and name.startswith(weights.spare)]
    state = {name: each for name, each in weights.state.items() if name not in spare}
    fresh = _fit(model, state, weights.what, replace_head=replace_head, heads=weights.heads)
    return LoadedWeights(layout=weights.what, fresh=fresh, aside=(*spare, *weights.unused))


def _fit(
    model: nn.Module, state: Mapping[str, Tensor], source: str, *, replace_head: bool, heads: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Load what fits, and give the layers that stay as they are; raises InvalidFileError if anything else does not."""
    expected, state = model.state_dict(), _with_tied(model, state)
    different = _differing_in_classes(model, state)
    absent = {each for each in heads if not any(_within(name, each) for name in state)}
    head = sorted({*different, *absent})
    of_head = {name for name in expected if any(_within(name, each) for each in head)}
    own = of_head if replace_head else set()
    faults = _compare(_without(own, state), _without(own, expected))
    if faults:
        if not replace_head and head:
            said = "more than a head differs; check the network's arguments"
            if not _compare(_without(of_head, state), _without(of_head, expected)):
                said = f"{_some(head)}: for other classes? replace_head: true gives fresh weights"
            faults.append(Fault(path="", problem=said))
        raise InvalidFileError(source, faults)
    fitting = {name: each for name, each in _without(own, state).items() if name in expected}
    model.load_state_dict(fitting, strict=False)
    return tuple(head) if replace_head else ()


def _with_tied(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under all names of the network's: of several for one tensor a file may have only one."""
    names: dict[int, list[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
    tied: dict[str, Tensor] = {}
    for same in names.values():
        if there := [name for name in same if name in state]:
            tied |= dict.fromkeys(same, state[there[0]])
    return {**tied, **state}


def _without(names: Collection[str], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: each for name, each in tensors.items() if name not in names}


def _within(name: str, layer: str) -> bool:
    return name.startswith(f"{layer}.")


def _differing_in_classes(model: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Layers whose tensors differ from the file's in the length of their first axis alone, norms excepted."""
    found = []
    for path, module in model.named_modules():
        own = {f"{path}.{name}": each for name, each in module.named_parameters(recurse=False)}
        pairs = [(each.shape, state[name].shape) for name, each in own.items() if name in state]
        differing = [(ours, theirs) for ours, theirs in pairs if ours != theirs]
        in_classes = all(ours[1:] == theirs[1:] and len(ours) == len(theirs) > 0 for ours, theirs in differing)
        if path and differing and in_classes and not isinstance(module, _BatchNorm | nn.LayerNorm | nn.GroupNorm):
            found.append(path)
    return found


def _compare(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[Fault]:
    """All differences between the names and shapes of a file's tensors and of the model's."""
    missing = [name for name in expected if name not in state and name.rpartition(".")[2] != COUNTER]
    unexpected = [name for name in state if name not in expected and name.rpartition(".")[2] != COUNTER]
    here, there = _hints(missing, unexpected), _hints(unexpected, missing)
    faults = []
    for name, tensor in expected.items():
        wanted = f"{tuple(tensor.shape)}"
        if name in state and state[name].shape != tensor.shape:
            faults.append(Fault(path=name, problem=f"has shape {tuple(state[name].shape)}; the network's is {wanted}"))
        elif name in missing:
            hint = here.get(name, "")
            faults.append(
                Fault(path=name, problem=f"missing from the file; the network has it with shape {wanted}{hint}")
            )
    faults += [
        Fault(path=name, problem=f"not in the network; check its name and arguments{there.get(name, '')}")
        for name in unexpected
    ]
    return faults


def _hints(names: Collection[str], others: Iterable[str]) -> dict[str, str]:
    """For the first of the names the nearest of those that are left over on the other side."""
    by_kind: dict[str, list[str]] = {}
    for other in others:
        by_kind.setdefault(other.rpartition(".")[2], []).append(other)
    hints = {}
    for name in list(names)[:_MOST_HINTS]:
        close = get_close_matches(name, by_kind.get(name.rpartition(".")[2], ())[:500], n=1, cutoff=0.4)
        if close:
            hints[name] = f"; nearest: '{close[0]}'"
    return hints


def _some(names: Collection[str]) -> str:
    shown = list(names)[:8]
    return f"{', '.join(shown)}{', ...' if len(names) > len(shown) else ''}"
