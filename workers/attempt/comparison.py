"""How much two results of one task differ, and whether their processors or versions explain it. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from jobs.artifact import Manifest
from jobs.identity import Json

_ABSENT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """The difference of one file, or of the measurements, between two results.

    Attributes:
        name: Of the file, or "measurements".
        place: The tensor or the number that is furthest apart.
        relative: The largest difference there, divided by the largest absolute value there; None where the two differ
            in more than numbers (other shapes, another text).
    """

    name: str
    place: str = ""
    relative: float | None

    def __str__(self) -> str:
        """E.g. "weights.safetensors by 3e-07 (conv1.weight)"."""
        amount = "in more than numbers" if self.relative is None else f"by {self.relative:.1g}"
        return f"{self.name} {amount}" + (f" ({self.place})" if self.place else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The differences between two results of one task.

    Attributes:
        deviations: One for every file that differs, and one for the measurements.
        surroundings: Differences of the processor, versions and commit; each with both values.
    """

    deviations: tuple[Deviation, ...]
    surroundings: Mapping[str, tuple[str, str]]

    @property
    def nondeterministic(self) -> bool:
        """Neither processor, versions nor commit explain the difference: the stage is not deterministic."""
        return not self.surroundings

    def __str__(self) -> str:
        """For people: how much, why, and which result counts."""
        amounts = f"they differ (relative): {', '.join(map(str, self.deviations))}"
        if self.nondeterministic:
            why = (
                "both ran on the same kind of processor, with the same versions: the stage is not deterministic, a bug"
            )
        else:
            other = ", ".join(f"{name} ({one} | {two})" for name, (one, two) in self.surroundings.items())
            why = f"they ran with another {other}: rounding differs there, and a long training carries it on"
        return f"{amounts}; {why}; the first stands"


def compare(
    first: Manifest, first_files: Mapping[str, bytes], second: Manifest, second_files: Mapping[str, bytes]
) -> Comparison:
    """Compare two results of one task.

    Args:
        first: The manifest that was committed.
        first_files: Its files.
        second: The manifest of another run.
        second_files: Its files.
    """
    deviations = [_deviation("measurements", _leaves(first.measurements), _leaves(second.measurements))]
    for name in sorted(first_files.keys() | second_files.keys()):
        one, two = first_files.get(name), second_files.get(name)
        if one is None or two is None:
            deviations.append(Deviation(name=name, relative=None))
        elif one != two:
            found = _deviation(name, _contents(name, one), _contents(name, two))
            deviations.append(found or Deviation(name=name, relative=None))
    return Comparison(
        deviations=tuple(each for each in deviations if each),
        surroundings=_different(_surroundings(first), _surroundings(second)),
    )


def _surroundings(manifest: Manifest) -> dict[str, str]:
    return {**manifest.processor, **manifest.versions, "git commit": manifest.git_commit}


def _different(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    pairs = {name: (first.get(name) or _ABSENT, second.get(name) or _ABSENT) for name in (*first, *second)}
    return {name: (one, two) for name, (one, two) in pairs.items() if one != two}


def _contents(name: str, content: bytes) -> dict[str, Json | Tensor]:
    """The tensors, or the leaves of JSON, in a file; one leaf where it is neither."""
    try:
        if name.endswith(".safetensors"):
            return dict(load(content))
        if name.endswith(".json"):
            return dict(_leaves(json.loads(content)))
    except (ValueError, SafetensorError):
        pass  # not what its name says: compared as a whole
    return {"": content}


def _leaves(value: Json, path: str = "") -> Mapping[str, Json | Tensor]:
    return dict(_walk(value, path))


def _walk(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    """The leaves of a JSON value, each with its dotted path."""
    children = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else None
    )
    if children is None:
        yield path, value
        return
    for name, child in children:
        yield from _walk(child, f"{path}.{name}" if path else str(name))


def _deviation(name: str, first: Mapping[str, Json | Tensor], second: Mapping[str, Json | Tensor]) -> Deviation | None:
    """The place where two contents are furthest apart; None where they agree."""
    amounts = {place: _apart(first.get(place), second.get(place)) for place in {**first, **second}}
    changed = {place: amount for place, amount in amounts.items() if amount != 0}
    if not changed:
        return None
    place, amount = max(changed.items(), key=lambda each: math.inf if each[1] is None else each[1])
    return Deviation(name=name, place=place, relative=amount)


def _apart(first: Json | Tensor, second: Json | Tensor) -> float | None:
    """The largest difference over the largest absolute value; None where it is not one of numbers."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        if first.shape != second.shape or first.dtype != second.dtype:
            return None
        one, two = first.double(), second.double()
    elif isinstance(first, int | float) and isinstance(second, int | float):
        one, two = torch.tensor([first, second], dtype=torch.float64).split(1)
    else:
        return 0.0 if first == second else None
    same = (one == two) | (one.isnan() & two.isnan())
    if bool(same.all()):
        return 0.0
    largest = torch.maximum(one.abs(), two.abs()).nan_to_num(nan=0.0).max()
    apart = float((one - two).abs()[~same].max() / largest)
    return math.inf if math.isnan(apart) else apart
