"""Images with their targets in three splits, read in batches. The objective defines what a target is."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float32, Int64, Shaped
from torch import Tensor

from jobs.errors import BadInputError


@runtime_checkable
class LazyTensors(Protocol):
    """Images or targets that are read on access, as in a map-style torch Dataset."""

    def __len__(self) -> int:
        """Number of images or targets."""
        ...

    def __getitem__(self, index: int, /) -> Tensor:
        """One of them; in training all have the same shape."""
        ...


Images: TypeAlias = Float32[Tensor, "n c h w"] | LazyTensors
Targets: TypeAlias = Shaped[Tensor, "n ..."] | LazyTensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Images with their targets; read-only, since splits are shared within a process.

    Attributes:
        images: One tensor, or lazy for data larger than memory. In [0, 1] unless normalised.
        targets: The desired output for each image, in the same two forms: a class from 0, another image, a map of
            classes, padded boxes.

    Raises:
        BadInputError: The counts of images and targets differ.
    """

    images: Images
    targets: Targets

    def __post_init__(self) -> None:
        if len(self.images) != len(self.targets):
            raise BadInputError(
                f"a split has {len(self.images)} images but {len(self.targets)} targets; one target each is needed"
            )

    def __len__(self) -> int:
        return len(self.targets)

    def read(self, indices: Int64[Tensor, " k"]) -> Float32[Tensor, "k c h w"]:
        """The images at `indices`, in that order, in memory.

        Raises:
            BadInputError: Their shapes differ.
        """
        return _read(self.images, indices)

    def read_targets(self, indices: Int64[Tensor, " k"]) -> Shaped[Tensor, "k ..."]:
        """The targets at `indices`, in that order, in memory.

        Raises:
            BadInputError: Their shapes differ.
        """
        return _read(self.targets, indices)

    def select(self, indices: Int64[Tensor, " k"]) -> "Split":
        """A smaller split, in the order of `indices`; lazy values stay lazy."""
        return Split(images=_select(self.images, indices), targets=_select(self.targets, indices))

    def without_targets(self) -> "Split":
        """The same images with uninformative targets; see `hide`."""
        hidden = hide(self.read_targets(torch.arange(min(len(self), 1))))
        return replace(self, targets=hidden.expand(len(self), *hidden.shape[1:]))


_SET_NAME = r"[A-Za-z0-9][A-Za-z0-9_.\-]*"
_TAKEN = ("int8",)
"""Variants of metrics that are no test sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageData:
    """A data set.

    Attributes:
        train: For training and calibration.
        validation: For selection: of epochs, hyperparameters, partitions. Never trained on.
        test: For the reported metrics.
        num_classes: Where targets are classes, these are in [0, num_classes).
        input_shape: (channels, height, width) of every training image.
        test_sets: Further named test sets, whose metrics are reported apart; `test` is all of them together.

    Raises:
        BadInputError: The name of a test set cannot be part of a metric's.
    """

    train: Split
    validation: Split
    test: Split
    num_classes: int | None = None
    input_shape: tuple[int, int, int]
    test_sets: Mapping[str, Split] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unfit = [name for name in self.test_sets if not re.fullmatch(_SET_NAME, name) or name in _TAKEN]
        if unfit:
            raise BadInputError(
                f"the data has a test set named '{unfit[0]}'; name it with letters, digits, '.', '_' and '-', "
                f"and not {' or '.join(_TAKEN)}, which metrics have already"
            )


def hide(targets: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "n ..."]:
    """Uninformative targets of the same shape: NaN for floating point, -1 for anything else."""
    if targets.is_floating_point():
        return torch.full_like(targets, math.nan)
    return torch.full_like(targets, -1, dtype=torch.int64)


def _read(values: Tensor | LazyTensors, indices: Tensor) -> Tensor:
    if isinstance(values, Tensor):
        return values[indices]
    found = [values[index] for index in indices.tolist()]
    shapes = {tuple(each.shape): None for each in found}
    if len(shapes) > 1:
        raise BadInputError(
            f"the data has images or targets of different shapes, such as {' and '.join(map(str, list(shapes)[:2]))}, "
            "where one shape is needed, as in training; crop them, or pad them to a common size"
        )
    return torch.stack(found)


def _select(values: Tensor | LazyTensors, indices: Tensor) -> Tensor | LazyTensors:
    return values[indices] if isinstance(values, Tensor) else _Selection(values, indices.tolist())


class _Selection:
    """A subset of lazy tensors."""

    def __init__(self, values: LazyTensors, indices: list[int]) -> None:
        self._values = values
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int, /) -> Tensor:
        return self._values[self._indices[index]]


def batches(
    split: Split,
    batch_size: int,
    *,
    order: Int64[Tensor, " m"] | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[Float32[Tensor, "k c h w"], Shaped[Tensor, "k ..."]]]:
    """Iterate once over a split, or over some of it.

    A batch has one shape: where images or targets of different shapes follow one another, it ends early.

    Args:
        split: The split.
        batch_size: Samples per batch, at least 1; the last batch may be smaller.
        order: Indices of the samples to read, one after the other; without it, all in the split's own order.
        device: Where the batches are put.

    Yields:
        Images and targets.

    Raises:
        BadInputError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise BadInputError(f"batch_size is {batch_size}; at least 1 is needed")
    chosen = torch.arange(len(split)) if order is None else order
    if isinstance(split.images, Tensor) and isinstance(split.targets, Tensor):
        for indices in in_batches(chosen, batch_size):
            yield split.images[indices].to(device), split.targets[indices].to(device)
        return
    collected: list[tuple[Tensor, Tensor]] = []
    for index in chosen.tolist():
        sample = split.images[index], split.targets[index]
        if collected and _shapes(collected[0]) != _shapes(sample):
            yield _together(collected, device)
            collected = []
        collected.append(sample)
        if len(collected) == batch_size:
            yield _together(collected, device)
            collected = []
    if collected:
        yield _together(collected, device)


def in_batches(indices: Int64[Tensor, " m"], batch_size: int) -> Iterator[Int64[Tensor, " _"]]:
    """Indices in batches, none of them empty."""
    for start in range(0, len(indices), batch_size):
        yield indices[start : start + batch_size]


def _shapes(sample: tuple[Tensor, Tensor]) -> tuple[torch.Size, ...]:
    return tuple(each.shape for each in sample)


def _together(samples: list[tuple[Tensor, Tensor]], device: torch.device | str) -> tuple[Tensor, Tensor]:
    images, targets = zip(*samples, strict=True)
    return torch.stack(images).to(device), torch.stack(targets).to(device)
