"""Data augmentation of whole batches; all randomness comes from the given generator.

An objective names those that keep its targets true.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

from jobs.errors import BadInputError

Augmentation: TypeAlias = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""From images (n, c, h, w), their targets (n, ...) and a generator on the CPU to images and targets of those shapes."""

_PAD = 4
_AREA, _RATIO, _TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10


def crop_flip(images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Pad by four zeros, crop the old size at a random position, mirror half of the images.

    Args:
        images: On any device.
        generator: On the CPU.

    Source: He et al. 2016, arXiv:1512.03385, section 4.2.
    """
    n, channels, height, width = images.shape
    top = torch.randint(2 * _PAD + 1, (n, 1), generator=generator)
    left = torch.randint(2 * _PAD + 1, (n, 1), generator=generator)
    mirrored = torch.randint(2, (n, 1), generator=generator).bool()
    along = torch.arange(width)
    rows = (top + torch.arange(height)).to(images.device)
    columns = (left + torch.where(mirrored, along.flip(0), along)).to(images.device)
    sample = torch.arange(n, device=images.device)
    channel = torch.arange(channels, device=images.device)
    padded = functional.pad(images, (_PAD, _PAD, _PAD, _PAD))
    return padded[
        sample[:, None, None, None], channel[None, :, None, None], rows[:, None, :, None], columns[:, None, None, :]
    ]


def flip(images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Mirror half of the images from left to right.

    Args:
        images: On any device.
        generator: On the CPU.
    """
    mirrored = torch.randint(2, (len(images),), generator=generator).nonzero().flatten().to(images.device)
    return images.index_copy(0, mirrored, images[mirrored].flip(3))


def resized_crop_flip(images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Crop a random 8 to 100 % of the area, of aspect ratio 3:4 to 4:3, scale it to the old size, mirror half.

    A crop that does not fit is drawn again, up to nine times; then it is the whole image. Scaling is bilinear.

    Args:
        images: On any device.
        generator: On the CPU.

    Source: Szegedy et al. 2015, arXiv:1409.4842, section 6.
    """
    n, _, height, width = images.shape
    area, ratio, place_y, place_x = torch.rand((4, _TRIES, n), generator=generator, dtype=torch.float64)
    mirrored = torch.randint(2, (n,), generator=generator).bool()
    pixels = (_AREA[0] + (_AREA[1] - _AREA[0]) * area) * height * width
    ratio = (math.log(_RATIO[0]) + math.log(_RATIO[1] / _RATIO[0]) * ratio).exp()
    rows, columns = (pixels / ratio).sqrt().round().clamp_min(1), (pixels * ratio).sqrt().round().clamp_min(1)
    fits = (rows <= height) & (columns <= width)
    first = fits.int().argmax(0, keepdim=True)  # of equal ones, the first
    rows, columns, place_y, place_x, fits = (
        each.gather(0, first)[0] for each in (rows, columns, place_y, place_x, fits)
    )
    rows, columns = torch.where(fits, rows, height), torch.where(fits, columns, width)
    top, left = (place_y * (height - rows + 1)).floor(), (place_x * (width - columns + 1)).floor()
    zero = torch.zeros(n, dtype=torch.float64)
    across = torch.where(mirrored, -columns, columns) / width
    transform = torch.stack(  # from coordinates in [-1, 1] of the result to those of the image
        [
            torch.stack([across, zero, (2 * left + columns) / width - 1], 1),
            torch.stack([zero, rows / height, (2 * top + rows) / height - 1], 1),
        ],
        1,
    )
    grid = functional.affine_grid(transform.to(images), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def flip_turn(
    images: Float[Tensor, "n c h w"], targets: Shaped[Tensor, "n ..."], generator: torch.Generator
) -> tuple[Float[Tensor, "n c h w"], Shaped[Tensor, "n ..."]]:
    """Mirror and turn every image together with its target, which is an image, too: one of eight ways.

    Where images or targets are not square, they are mirrored and turned by half, one of four ways.

    Args:
        images: On any device.
        targets: (n, channels, height, width) of any size, on the same device.
        generator: On the CPU.

    Raises:
        BadInputError: The targets are no images.

    Source: Lim et al. 2017, arXiv:1707.02921, section 4.2.
    """
    if targets.ndim != 4:
        raise BadInputError(
            f"augment: flip-turn moves targets that are images; those of the data have shape {tuple(targets.shape[1:])}"
        )
    upside_down, mirrored, transposed = torch.randint(2, (3, len(images), 1, 1, 1), generator=generator).bool()
    square = all(each.shape[2] == each.shape[3] for each in (images, targets))

    def moved(each: Tensor) -> Tensor:
        each = torch.where(upside_down.to(each.device), each.flip(2), each)
        each = torch.where(mirrored.to(each.device), each.flip(3), each)
        return torch.where(transposed.to(each.device), each.transpose(2, 3), each) if square else each

    return moved(images), moved(targets)


def of_images(change: Callable[[Tensor, torch.Generator], Tensor]) -> Augmentation:
    """The augmentation that changes images alone, whose targets stay true."""

    def augment(
        images: Float[Tensor, "n c h w"], targets: Shaped[Tensor, "n ..."], generator: torch.Generator
    ) -> tuple[Float[Tensor, "n c h w"], Shaped[Tensor, "n ..."]]:
        return change(images, generator), targets

    return augment
