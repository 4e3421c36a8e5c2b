"""Feeds a training: the samples of an epoch in the order that is asked for, in batches, augmented.

The same samples come out in the same form however many processes read them, and wherever in an epoch reading begins.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from jobs.errors import BadInputError
from workers.data.augment import Augmentation
from workers.data.images import Images, Split, in_batches, together
from workers.data.pictures import cut_anew
from workers.data.pipeline import Pipeline
from workers.data.prefetch import Prefetcher
from workers.data.seeding import global_generators_kept, seed_global_generators, seed_of
from workers.inputs import Inputs, InputSpec, map_inputs

_PARTS_AT_ONCE = 16

_Batch = tuple[Inputs, Tensor]
_Taken = Callable[[int], slice]


class Feed:
    """The training split for one training; with `split.workers`, processes read it ahead.

    Images in memory are taken a batch at a time, and augmented so. Where images are read one by one, or augmented so,
    torch's, NumPy's and Python's global generators are seeded for each, by the epoch's seed and the sample's index, and
    are elsewhere as if nothing had been drawn.

    Args:
        split: The split.
        pipeline: How it is augmented.
        device: Where the batches are put.
        taken: From the number of samples in a batch to those that come out of it. The others are not even read, where
            nothing is done with whole batches. Default: all.

    Raises:
        BadInputError: Images are to be cut out of pictures, and there are none.
    """

    def __init__(self, split: Split, pipeline: Pipeline, *, device: torch.device | str, taken: _Taken = slice) -> None:
        if pipeline.cut is not None:
            split = replace(split, images=cast(Images, cut_anew(split.images, pipeline.cut)))
        self._split, self._pipeline, self._device = split, pipeline, torch.device(device)
        self._taken = taken
        self._one_by_one = bool(pipeline.single) or not split.in_memory
        self._samples = _Samples(split, pipeline)
        self._pinned = self._device.type == "cuda"
        ahead = self._one_by_one and split.workers > 0
        self._ahead = Prefetcher(self._samples.read, workers=split.workers, pin=self._pinned) if ahead else None

    def __len__(self) -> int:
        return len(self._split)

    def order(self, drawn: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
        """The order to read in: as drawn, or where samples lie in files, these in the order in which they are drawn.

        Then the samples of a few files at a time are mixed.
        """
        return drawn if self._split.parts is None else drawn[by_parts(self._split.parts[drawn])]

    def batches(self, order: Int64[Tensor, " m"], batch_size: int, *, seed: int) -> Iterator[_Batch]:
        """Read samples; what the pipeline does with batches is not done yet.

        Args:
            order: Indices of the samples.
            batch_size: Samples per batch; the last one may be smaller.
            seed: Of what is drawn for single samples in this epoch.

        Yields:
            Inputs and targets on the device.

        Raises:
            BadInputError: A sample cannot be read, or has another shape than the others.
        """
        if not self._one_by_one:
            for indices in self._read_of(order, batch_size):
                yield self._placed((self._split.read(indices), self._split.read_targets(indices)))
            return
        asked = [(indices.tolist(), seed) for indices in self._read_of(order, batch_size)]
        for batch in self._read_here(asked) if self._ahead is None else self._ahead.results(asked):
            yield self._placed(batch)

    def augment(
        self, inputs: Inputs, targets: Shaped[Tensor, "n ..."], generator: torch.Generator
    ) -> tuple[Inputs, Shaped[Tensor, "taken ..."]]:
        """What the pipeline does with a batch, and of that the samples that are taken.

        Raises:
            BadInputError: The inputs are not one tensor.
        """
        if not self._pipeline.batch:
            return inputs, targets  # they are all that was read
        for change in self._pipeline.batch:
            inputs, targets = change(_images(inputs, self._pipeline), targets, generator)
        taken = self._taken(len(targets))
        return map_inputs(lambda each: each[taken], inputs), targets[taken]

    def _read_of(self, order: Int64[Tensor, " m"], batch_size: int) -> Iterator[Int64[Tensor, " _"]]:
        """What is read of every batch: all of it, where its samples may be mixed or draw from one generator."""
        for indices in in_batches(order, batch_size):
            yield indices if self._pipeline.batch else indices[self._taken(len(indices))]

    def _read_here(self, asked: Sequence[tuple[list[int], int]]) -> Iterator[_Batch]:
        for each in asked:
            with global_generators_kept():
                batch = self._samples.read(each)
            yield batch

    def _placed(self, batch: _Batch) -> _Batch:
        inputs, targets = batch
        ahead = self._pinned and self._ahead is not None

        def place(tensor: Tensor) -> Tensor:
            return tensor.to(self._device, non_blocking=ahead)

        return map_inputs(place, inputs), place(targets)


def by_parts(parts: Int64[Tensor, " n"], at_once: int = _PARTS_AT_ONCE) -> Int64[Tensor, " n"]:
    """Positions of samples, those of the first few parts that occur first; among these they stay in their order.

    Args:
        parts: The part of each sample.
        at_once: How many parts stay mixed.
    """
    known, part = parts.unique(return_inverse=True)
    first = torch.full((len(known),), len(parts)).scatter_reduce(0, part, torch.arange(len(parts)), "amin")
    return (first.argsort().argsort()[part] // at_once).argsort(stable=True)


class _Samples:
    """Reads samples one by one, each by its own seed, and augments them so."""

    def __init__(self, split: Split, pipeline: Pipeline) -> None:
        self._split, self._pipeline = split, pipeline

    def read(self, asked: tuple[list[int], int]) -> _Batch:
        """The samples of these indices in a batch; the second number is the epoch's seed."""
        indices, seed = asked
        inputs, targets = zip(*(self._sample(index, seed) for index in indices), strict=True)
        stacked = together(targets)
        assert isinstance(stacked, Tensor)  # as each of them is
        return together(inputs), stacked

    def _sample(self, index: int, seed: int) -> tuple[Inputs, Tensor]:
        seed_global_generators(seed_of(seed, index))
        inputs, target = self._split.sample(index)
        if self._pipeline.single:
            inputs, target = _changed(_images(inputs, self._pipeline), target, self._pipeline.single)
        return inputs, target


def _changed(image: Tensor, target: Tensor, changes: Sequence[Augmentation]) -> tuple[Tensor, Tensor]:
    images, targets = image[None], target[None]
    for change in changes:
        images, targets = change(images, targets, torch.default_generator)
    return images[0], targets[0]


def _images(inputs: Inputs, pipeline: Pipeline) -> Tensor:
    if isinstance(inputs, Tensor):
        return inputs
    raise BadInputError(
        f"augment: {', '.join(pipeline.names)} changes one tensor of images, and the data gives "
        f"{InputSpec.of_sample(inputs)}; set `augment: none`, and augment in the data set"
    )
