"""Labelled images, split three ways, and the batches they are read in.

Knows nothing of where images come from or what they are for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from jobs.errors import BadInputError


@runtime_checkable
class LazyImages(Protocol):
    """Images that are read when they are asked for, as a map-style torch Dataset does."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, index: int, /) -> Float32[Tensor, "c h w"]:
        """One image; all have the same shape."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Labelled images, to be read only: splits are shared within a process.

    Attributes:
        images: One tensor, or one image at a time for data that outgrow memory. In [0, 1] unless normalised.
        labels: The class of each image, from 0.

    Raises:
        BadInputError: The counts of images and labels differ.
    """

    images: Float32[Tensor, "n c h w"] | LazyImages
    labels: Int64[Tensor, " n"]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise BadInputError(
                f"a split has {len(self.images)} images but {len(self.labels)} labels; one label each is needed"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices: Int64[Tensor, " k"]) -> Float32[Tensor, "k c h w"]:
        """The images at `indices`, in that order, in memory."""
        if isinstance(self.images, Tensor):
            return self.images[indices]
        return torch.stack([self.images[index] for index in indices.tolist()])

    def select(self, indices: Int64[Tensor, " k"]) -> "Split":
        """A smaller split, in the order of `indices`; lazy images stay lazy."""
        images = self.images[indices] if isinstance(self.images, Tensor) else _Selection(self.images, indices.tolist())
        return Split(images=images, labels=self.labels[indices])


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageData:
    """A classification data set.

    Attributes:
        train: For gradients and calibration.
        validation: For choices: epochs, hyperparameters, partitions. Never trained on.
        test: For the number that is reported.
        num_classes: Labels are in [0, num_classes).
        input_shape: (channels, height, width) of every image.
    """

    train: Split
    validation: Split
    test: Split
    num_classes: int
    input_shape: tuple[int, int, int]


class _Selection:
    """Some of some lazy images."""

    def __init__(self, images: LazyImages, indices: list[int]) -> None:
        self._images = images
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int, /) -> Float32[Tensor, "c h w"]:
        return self._images[self._indices[index]]


def batches(
    split: Split,
    batch_size: int,
    *,
    order: Int64[Tensor, " m"] | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[Float32[Tensor, "k c h w"], Int64[Tensor, " k"]]]:
    """Go once through a split, or through some of it.

    Args:
        split: What to read.
        batch_size: Samples per batch, at least 1; the last batch holds what is left.
        order: Indices of the samples to read, one after the other; without it, all in the split's own order.
        device: Where the batches are put.

    Yields:
        Images and labels.

    Raises:
        BadInputError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise BadInputError(f"batch_size is {batch_size}; at least 1 is needed")
    chosen = torch.arange(len(split)) if order is None else order
    for start in range(0, len(chosen), batch_size):
        indices = chosen[start : start + batch_size]
        yield split.read(indices).to(device), split.labels[indices].to(device)
