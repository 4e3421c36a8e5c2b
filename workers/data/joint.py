"""Data augmentation that moves images and their targets together; all randomness comes from the given generator."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from workers.data.canvas import IGNORED

_SCALE = (0.5, 2.0)


def flip_with_masks(
    images: Float[Tensor, "n c h w"], masks: Int64[Tensor, "n h w"], generator: torch.Generator
) -> tuple[Float[Tensor, "n c h w"], Int64[Tensor, "n h w"]]:
    """Mirror half of the images, and their masks, from left to right.

    Args:
        images: On any device.
        masks: Maps of classes, there, too.
        generator: On the CPU.
    """
    mirrored = _coins(images, generator)
    return (
        torch.where(mirrored[:, None, None, None], functional.horizontal_flip(images), images),
        torch.where(mirrored[:, None, None], functional.horizontal_flip(masks), masks),
    )


def flip_with_boxes(
    images: Float[Tensor, "n c h w"], boxes: Float[Tensor, "n m 6"], generator: torch.Generator
) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n m 6"]]:
    """Mirror half of the images, and their boxes, from left to right.

    Args:
        images: On any device.
        boxes: x1, y1, x2, y2 in pixels, label, flag, there, too. Rows of label 0, which are no boxes, stay.
        generator: On the CPU.
    """
    mirrored = _coins(images, generator)
    left, top, right, bottom, *rest = boxes.unbind(-1)
    width = images.shape[-1]
    flipped = torch.stack([width - right, top, width - left, bottom, *rest], -1)
    moved = mirrored[:, None] & (boxes[..., 4] > 0)
    return (
        torch.where(mirrored[:, None, None, None], functional.horizontal_flip(images), images),
        torch.where(moved[..., None], flipped, boxes),
    )


def scale_crop_flip(
    images: Float[Tensor, "n c h w"], masks: Int64[Tensor, "n h w"], generator: torch.Generator
) -> tuple[Float[Tensor, "n c h w"], Int64[Tensor, "n h w"]]:
    """Scale each image and its mask by a random factor of 0.5 to 2, crop the old size at random, mirror half.

    Images are scaled with anti-aliased bilinear filters, masks by the class of the nearest pixel. What is smaller than
    the old size is filled up at the right and at the bottom, images with 0 and masks with 255, which is ignored.

    Args:
        images: On any device.
        masks: Maps of classes, there, too.
        generator: On the CPU.

    Source: Chen et al. 2017, arXiv:1706.05587, section 4.1.
    """
    height, width = images.shape[-2:]
    factor, place_y, place_x = torch.rand((3, len(images)), generator=generator, dtype=torch.float64)
    factor = _SCALE[0] + (_SCALE[1] - _SCALE[0]) * factor
    moved = []
    for image, mask, *drawn in zip(images, masks, factor.tolist(), place_y.tolist(), place_x.tolist(), strict=True):
        rows, columns = (max(1, round(drawn[0] * side)) for side in (height, width))
        top, left = int(drawn[1] * (max(rows - height, 0) + 1)), int(drawn[2] * (max(columns - width, 0) + 1))
        scaled = functional.resize(image, [rows, columns], InterpolationMode.BILINEAR, antialias=True)
        nearest = functional.resize(mask[None], [rows, columns], InterpolationMode.NEAREST_EXACT)
        filled = [0, 0, max(width - columns, 0), max(height - rows, 0)]
        moved.append(
            (
                functional.crop(functional.pad(scaled, filled), top, left, height, width),
                functional.crop(functional.pad(nearest, filled, fill=IGNORED), top, left, height, width)[0],
            )
        )
    scaled_images, scaled_masks = zip(*moved, strict=True)
    return flip_with_masks(torch.stack(scaled_images), torch.stack(scaled_masks), generator)


def _coins(images: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the images, by chance, as true and false for each."""
    return torch.randint(2, (len(images),), generator=generator).bool().to(images.device)
