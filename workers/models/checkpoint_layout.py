"""Finds the tensors of a network in a checkpoint as people have them: nested, prefixed, among other things."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from jobs.errors import BadInputError, nearest
from jobs.weights import CheckpointReading

COUNTER = "num_batches_tracked"
"""Batch norm reads its step counter only when momentum is None; many published files leave it out."""

_PREFERRED = ("", "state_dict", "model_state_dict", "model_state", "model", "net", "module", "ema")
"""Where tensors are taken from if they fit as well elsewhere in the same file."""

_DEPTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTensors:
    """The tensors of a checkpoint that are taken for the network's.

    Attributes:
        state: Under the names that the network has, if these fit.
        key: Where they were, dotted; empty for the top of the file.
        prefix: What was taken off their names.
        aside: What else the file holds: its other entries, and tensors without the prefix.
    """

    state: Mapping[str, Tensor]
    key: str
    prefix: str
    aside: tuple[str, ...]

    @property
    def layout(self) -> str:
        """What was found, in words."""
        where = f"under '{self.key}'" if self.key else "at the top of the file"
        kinds = sorted(
            {str(each.dtype).removeprefix("torch.") for each in self.state.values() if each.is_floating_point()}
        )
        prefix = f", prefix '{self.prefix}' removed" if self.prefix else ""
        return f"{where}{prefix}, {' and '.join(kinds) or 'no floating point'}"


def find_tensors(
    content: object, expected: Collection[str], reading: CheckpointReading, *, source: str
) -> FoundTensors:
    """Find the mapping and the prefix under which most of a network's names are.

    Args:
        content: Of the file.
        expected: The network's names of tensors.
        reading: What the user says of the layout.
        source: The file, for messages.

    Raises:
        BadInputError: There are no tensors, none where the user says, or the same ones under several prefixes.
    """
    wanted = {name for name in expected if name.rpartition(".")[2] != COUNTER}
    places = dict(_places(content))
    if reading.key is not None:
        places = {reading.key: _at(content, reading.key, source=source)}
    if not places:
        raise BadInputError(f"{source}: holds {_kinds(content)}; a non-empty mapping of names to tensors is needed")
    ranked = sorted(places, key=lambda key: _PREFERRED.index(key) if key in _PREFERRED else len(_PREFERRED))
    prefixes = {key: _prefix(places[key], wanted, reading, source=source) for key in ranked}
    key = max(ranked, key=lambda each: prefixes[each][1])  # the first of equal ones
    prefix = prefixes[key][0]
    inner = {name: each for name, each in places[key].items() if name.startswith(prefix)}
    above = content if isinstance(content, Mapping) else {}
    entries = [name for name in above if name != key.partition(".")[0] and name not in inner]
    return FoundTensors(
        state={name.removeprefix(prefix): each for name, each in inner.items()},
        key=key,
        prefix=prefix,
        aside=tuple(dict.fromkeys(map(str, [*entries, *(name for name in places[key] if name not in inner)]))),
    )


def _tensors(mapping: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {name: each for name, each in mapping.items() if isinstance(name, str) and isinstance(each, Tensor)}


def _places(content: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """All mappings with tensors in them, each with its dotted key."""
    if not isinstance(content, Mapping) or depth > _DEPTH:
        return
    if tensors := _tensors(content):
        yield path, tensors
    for name, each in content.items():
        if isinstance(name, str):
            yield from _places(each, f"{path}.{name}" if path else name, depth + 1)


def _at(content: object, key: str, *, source: str) -> dict[str, Tensor]:
    found = content
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            places = [place for place, _ in _places(content) if place]
            raise BadInputError(
                f"{source}: weights_key '{key}' is not in the file, which holds {_kinds(content)}; "
                f"{nearest(key, places)}"
            )
        found = found[part]
    tensors = _tensors(found) if isinstance(found, Mapping) else {}
    if not tensors:
        raise BadInputError(f"{source}: weights_key '{key}' holds {_kinds(found)}; a mapping of tensors is needed")
    return tensors


def _prefix(
    state: Mapping[str, Tensor], wanted: Collection[str], reading: CheckpointReading, *, source: str
) -> tuple[str, int]:
    """The prefix under which most of the network's names are, and how many are there; of equal ones none at all."""
    counts = Counter(name[:start] for name in state for start in _starts(name) if name[start:] in wanted)
    if reading.prefix is not None:
        prefix = reading.prefix if reading.prefix.endswith(".") else f"{reading.prefix}."
        if not any(name.startswith(prefix) for name in state):
            first = {name.partition(".")[0] + "." for name in state if "." in name}
            raise BadInputError(
                f"{source}: no tensor's name begins with strip_prefix '{prefix}'; {nearest(prefix, first)}"
            )
        return prefix, counts[prefix]
    most = max(counts.values(), default=0)
    best = [prefix for prefix, count in counts.items() if count == most]
    if not best or "" in best:
        return "", most
    if len(best) > 1 and most == len(wanted):
        raise BadInputError(
            f"{source}: the network's tensors are there {len(best)} times, under {', '.join(sorted(best))}; say which "
            "by strip_prefix"
        )
    return best[0], most


def _starts(name: str) -> Iterator[int]:
    """Where a name begins, and where it would begin without its first parts."""
    yield 0
    yield from (index + 1 for index, letter in enumerate(name) if letter == ".")


def _kinds(content: object) -> str:
    """What a file holds, for messages: the names of its entries with their types."""
    if not isinstance(content, Mapping):
        return f"{type(content).__name__}"
    shown = [f"{name} ({type(each).__name__})" for name, each in list(content.items())[:12]]
    return f"{', '.join(shown)}{', ...' if len(content) > 12 else ''}" or "nothing"
