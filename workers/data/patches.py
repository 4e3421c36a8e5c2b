"""Splits of image pairs: patches at random places, whole images, and their centres."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from workers.data.image_pairs import ImagePairs
from workers.data.images import Split
from workers.data.resize import luma

Colour: TypeAlias = Literal["rgb", "luma"]
_Place: TypeAlias = tuple[int, int, int, int, int]
"""Image, top, left, height, width; in pixels of the network's input."""


def patch_split(pairs: ImagePairs, *, side: int, count: int, seed: int, colour: Colour) -> Split:
    """Squares at random places: all images are equally likely, and so are all places in one.

    Patch i is a function of the pairs, the seed and i, so that the split is a fixed data set.

    Args:
        pairs: None is smaller than a patch.
        side: Of the network's input, in pixels.
        count: Number of patches.
        seed: Of their places.
        colour: What the network sees, and gives.
    """
    drawn = np.random.default_rng(seed).random((count, 3))  # row by row: a longer split begins with a shorter one

    def place(index: int) -> _Place:
        chosen, down, across = drawn[index]
        image = int(chosen * len(pairs))
        height, width = pairs.input_size(image)
        return image, int(down * (height - side + 1)), int(across * (width - side + 1)), side, side

    return _split(pairs, count, place, colour)


def whole_images(pairs: ImagePairs, *, colour: Colour) -> Split:
    """The pairs as they are, each of its own size."""
    return _split(pairs, len(pairs), lambda index: (index, 0, 0, *pairs.input_size(index)), colour)


def centres(pairs: ImagePairs, *, side: int, colour: Colour) -> Split:
    """The square in the middle of each; none is smaller, in pixels of the network's input."""

    def place(index: int) -> _Place:
        height, width = pairs.input_size(index)
        return index, (height - side) // 2, (width - side) // 2, side, side

    return _split(pairs, len(pairs), place, colour)


def _split(pairs: ImagePairs, count: int, place: Callable[[int], _Place], colour: Colour) -> Split:
    def read_input(index: int) -> UInt8[np.ndarray, "h w 3"]:
        image, top, left, height, width = place(index)
        return pairs.pixels(image)[0][top : top + height, left : left + width]

    def read_target(index: int) -> UInt8[np.ndarray, "h w 3"]:
        image, *box = place(index)
        top, left, height, width = (pairs.factor * each for each in box)
        return pairs.pixels(image)[1][top : top + height, left : left + width]

    return Split(images=_Lazy(read_input, count, colour), targets=_Lazy(read_target, count, colour))


class _Lazy:
    """Tensors in [0, 1] of what a function reads."""

    def __init__(self, read: Callable[[int], UInt8[np.ndarray, "h w 3"]], count: int, colour: Colour) -> None:
        self._read, self._count, self._colour = read, count, colour

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int, /) -> Float32[Tensor, "c h w"]:
        if not 0 <= index < self._count:
            raise IndexError(f"{index} is not in [0, {self._count})")
        pixels = self._read(index).transpose(2, 0, 1).copy()  # the original may be mapped, and must not be written to
        scaled = torch.from_numpy(pixels).to(torch.float32).div_(255)
        return luma(scaled) if self._colour == "luma" else scaled
