"""Images, or what else a network takes, with their targets in three splits, read in batches.

The objective defines what a target is.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Generic, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from jobs.errors import BadInputError
from jobs.metric import QUANTIZED
from workers.data.pictures import Cut, cut_anew
from workers.data.prefetch import Prefetcher
from workers.data.seeding import global_generators_kept, seed_global_generators, seed_of
from workers.inputs import Inputs, InputSpec, form_of, map_inputs, num_samples, stack, take, tensors_of, to_device

_Value = TypeVar("_Value", covariant=True)


@runtime_checkable
class _Lazy(Protocol[_Value]):
    """Values that are read on access, as in a map-style torch Dataset."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, index: int, /) -> _Value:
        """One of them."""
        ...


@runtime_checkable
class LazyTensors(_Lazy[Tensor], Protocol):
    """Images or targets that are read on access; in training all have the same shape."""


@runtime_checkable
class LazyInputs(_Lazy[Inputs], Protocol):
    """Inputs that are read on access, where one tensor is not enough.

    Each is a tuple of positional arguments, or a mapping of keyword arguments.
    """


_IN_MEMORY = (Tensor, tuple, Mapping)

Images: TypeAlias = Inputs | LazyTensors | LazyInputs
Targets: TypeAlias = Shaped[Tensor, "n ..."] | LazyTensors
ImageStatistics: TypeAlias = tuple[Sequence[float], Sequence[float]]
"""Mean and standard deviation per channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Images with their targets; read-only, since splits are shared within a process.

    Attributes:
        images: One tensor, or lazy for data larger than memory. In [0, 1] unless normalised. Where networks take
            something else: a tensor of any type, a tuple of tensors (positional arguments) or a mapping of tensors
            (keyword arguments), the samples on the first axis of each; or lazy, giving these of one sample.
        targets: The desired output for each image, in the same two forms: a class from 0, another image, a map of
            classes, padded boxes.
        parts: Where many samples lie in one file: which file each is in, so that training goes through few at a time.
        workers: Processes that read it ahead of those who go through it, where it is lazy; 0: none.

    Raises:
        BadInputError: The counts of images and targets differ.
    """

    images: Images
    targets: Targets
    parts: Int64[Tensor, " n"] | None = None
    workers: int = 0

    def __post_init__(self) -> None:
        images = num_samples(self.images) if isinstance(self.images, _IN_MEMORY) else len(self.images)
        if images != len(self.targets):
            raise BadInputError(
                f"a split has {images} images but {len(self.targets)} targets; one target each is needed"
            )

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def in_memory(self) -> bool:
        """Whether nothing is read on access."""
        return isinstance(self.images, _IN_MEMORY) and isinstance(self.targets, Tensor)

    def sample(self, index: int) -> tuple[Inputs, Shaped[Tensor, "..."]]:
        """One sample, without the axis of a batch: its inputs and its target, whole numbers as int64."""
        images = self.images
        return take(images, index) if isinstance(images, _IN_MEMORY) else images[index], _long(self.targets[index])

    def read(self, indices: Int64[Tensor, " k"]) -> Inputs:
        """The images at `indices`, in that order, in memory: a batch of the network's inputs.

        Raises:
            BadInputError: Their shapes differ.
        """
        if isinstance(self.images, _IN_MEMORY):
            return take(self.images, indices)
        return together([self.images[index] for index in indices.tolist()])

    def read_targets(self, indices: Int64[Tensor, " k"]) -> Shaped[Tensor, "k ..."]:
        """The targets at `indices`, in that order, in memory; whole numbers as int64.

        Raises:
            BadInputError: Their shapes differ.
        """
        if isinstance(self.targets, Tensor):
            return _long(self.targets[indices])
        targets = together([_long(self.targets[index]) for index in indices.tolist()])
        assert isinstance(targets, Tensor)  # as each of them is
        return targets

    def select(self, indices: Int64[Tensor, " k"]) -> "Split":
        """A smaller split, in the order of `indices`; lazy values stay lazy."""
        images, targets, numbers = self.images, self.targets, indices.tolist()
        return replace(
            self,
            images=take(images, indices) if isinstance(images, _IN_MEMORY) else _Selection(images, numbers),
            targets=targets[indices] if isinstance(targets, Tensor) else _Selection(targets, numbers),
            parts=None if self.parts is None else self.parts[indices],
        )

    def without_targets(self) -> "Split":
        """The same images with uninformative targets; see `hide`."""
        hidden = hide(self.read_targets(torch.arange(min(len(self), 1))))
        return replace(self, targets=hidden.expand(len(self), *hidden.shape[1:]))


def _long(targets: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """Whole numbers of any type as int64, as losses and metrics need classes; anything else as it is."""
    other = targets.is_floating_point() or targets.is_complex() or targets.dtype is torch.bool
    return targets if other else targets.to(torch.int64)


_SET_NAME = r"[A-Za-z0-9][A-Za-z0-9_.\-]*"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageData:
    """A data set.

    Attributes:
        train: For training and calibration.
        validation: For selection: of epochs, hyperparameters, partitions. Never trained on.
        test: For the reported metrics.
        num_classes: Where targets are classes, these are in [0, num_classes).
        input_shape: (channels, height, width) of every training image; None where networks take something else, which
            the first training sample shows.
        test_sets: Further named test sets, whose metrics are reported apart; `test` is all of them together.
        normalized: What was subtracted from the pixels in [0, 1], and what they were divided by; None: nothing.

    Raises:
        BadInputError: The name of a test set cannot be part of a metric's.
    """

    train: Split
    validation: Split
    test: Split
    num_classes: int | None = None
    input_shape: tuple[int, int, int] | None = None
    test_sets: Mapping[str, Split] = field(default_factory=dict)
    normalized: ImageStatistics | None = None

    def __post_init__(self) -> None:
        unfit = [name for name in self.test_sets if not re.fullmatch(_SET_NAME, name) or name in QUANTIZED]
        if unfit:
            raise BadInputError(
                f"the data has a test set named '{unfit[0]}'; name it with letters, digits, '.', '_' and '-', "
                f"and not {' or '.join(QUANTIZED)}, which metrics have already"
            )
        if self.input_shape is not None and isinstance(self.train.images, tuple | Mapping):
            raise BadInputError(
                f"the data gives {len(self.train.images)} tensors a sample and has the input_shape {self.input_shape}, "
                "which is that of one image; leave input_shape out"
            )

    @property
    def sample(self) -> Inputs:
        """The inputs of the first training sample, without the axis of a batch."""
        return map_inputs(lambda batch: batch[0], self.train.read(torch.arange(1)))

    @property
    def inputs(self) -> InputSpec:
        """What networks for this data take: an image of `input_shape`, or what the first training sample shows.

        Raises:
            BadInputError: That sample is not made of tensors.
        """
        return InputSpec.of_sample(self.sample) if self.input_shape is None else InputSpec.of_shape(self.input_shape)


def hide(targets: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "n ..."]:
    """Uninformative targets of the same shape: NaN for floating point, -1 for anything else."""
    if targets.is_floating_point():
        return torch.full_like(targets, math.nan)
    return torch.full_like(targets, -1, dtype=torch.int64)


class _Selection(Generic[_Value]):
    """A subset of lazy values."""

    def __init__(self, values: _Lazy[_Value], indices: list[int]) -> None:
        self._values = values
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int, /) -> _Value:
        return self._values[self._indices[index]]

    def with_cut(self, cut: Cut) -> "_Selection[_Value]":
        """The same images, cut out of their pictures in another way."""
        return _Selection(cast("_Lazy[_Value]", cut_anew(self._values, cut)), self._indices)


def batches(
    split: Split,
    batch_size: int,
    *,
    order: Int64[Tensor, " m"] | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[Inputs, Shaped[Tensor, "k ..."]]]:
    """Iterate once over a split, or over some of it.

    A batch has one shape: where images or targets of different shapes follow one another, it ends early. What a split
    that is read on access draws at random for a sample depends on the sample's index alone.

    Args:
        split: The split.
        batch_size: Samples per batch, at least 1; the last batch may be smaller.
        order: Indices of the samples to read, one after the other; without it, all in the split's own order.
        device: Where the batches are put.

    Yields:
        Images, or what else the network takes, and targets.

    Raises:
        BadInputError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise BadInputError(f"batch_size is {batch_size}; at least 1 is needed")
    chosen = torch.arange(len(split)) if order is None else order
    if split.in_memory:
        for indices in in_batches(chosen, batch_size):
            yield to_device(split.read(indices), device), split.read_targets(indices).to(device)
        return
    collected = _collected(_samples(split, chosen), batch_size)
    while True:
        with global_generators_kept():
            samples = next(collected, None)
        if samples is None:
            return
        yield _batch(samples, device)


def _collected(samples: Iterable[tuple[Inputs, Tensor]], most: int) -> Iterator[list[tuple[Inputs, Tensor]]]:
    """Samples that follow one another in one form, not more than some at a time."""
    collected: list[tuple[Inputs, Tensor]] = []
    for sample in samples:
        if collected and _forms(collected[0]) != _forms(sample):
            yield collected
            collected = []
        collected.append(sample)
        if len(collected) == most:
            yield collected
            collected = []
    if collected:
        yield collected


_SEED = 0
"""Of what is drawn for single samples outside of training."""

_AT_ONCE = 16
"""Samples that a process reads for an evaluation before it hands them over."""


def _samples(split: Split, chosen: Int64[Tensor, " m"]) -> Iterator[tuple[Inputs, Tensor]]:
    """Samples one by one, in order; where there are many and processes to read them, these do.

    The global generators are not kept.
    """
    asked = [indices.tolist() for indices in in_batches(chosen, _AT_ONCE)]
    if not split.workers or len(asked) < 2:
        yield from map(partial(_drawn, split), chosen.tolist())
        return

    def read(indices: list[int]) -> list[tuple[Inputs, Tensor]]:
        """Stacks of those that follow one another in one form: tensors cost a file descriptor each on their way."""
        runs = groupby(map(partial(_drawn, split), indices), key=_forms)
        return [_batch(list(samples), "cpu") for _, samples in runs]

    for runs in Prefetcher(read, workers=min(split.workers, len(asked))).results(asked):
        for inputs, targets in runs:
            for number, target in enumerate(targets):
                yield take(inputs, number), target


def _drawn(split: Split, index: int) -> tuple[Inputs, Tensor]:
    """A sample, with the draws of its index."""
    seed_global_generators(seed_of(_SEED, index))
    return split.sample(index)


def in_batches(indices: Int64[Tensor, " m"], batch_size: int) -> Iterator[Int64[Tensor, " _"]]:
    """Indices in batches, none of them empty."""
    for start in range(0, len(indices), batch_size):
        yield indices[start : start + batch_size]


def _forms(sample: tuple[Inputs, Tensor]) -> tuple[object, ...]:
    return form_of(sample[0]), sample[1].shape


def _batch(samples: list[tuple[Inputs, Tensor]], device: torch.device | str) -> tuple[Inputs, Tensor]:
    inputs, targets = zip(*samples, strict=True)
    return to_device(stack(inputs), device), torch.stack(targets).to(device)


def together(samples: Sequence[Inputs]) -> Inputs:
    """Samples in a batch.

    Raises:
        BadInputError: Their shapes differ.
    """
    forms = {form_of(each): each for each in samples}
    if len(forms) > 1:
        found = [", ".join(str(tuple(tensor.shape)) for tensor in tensors_of(each)) for each in forms.values()]
        raise BadInputError(
            f"the data has images or targets of different shapes, such as {' and '.join(found[:2])}, where one shape "
            "is needed, as in training; crop them, or pad them to a common size"
        )
    return stack(samples)
