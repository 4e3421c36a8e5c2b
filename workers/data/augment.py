"""Random changes to training images, a whole batch at a time.

Knows batches of tensors only; every draw comes from the generator that is handed in.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from jobs.errors import BadInputError, nearest

Augmentation = Callable[[Tensor, torch.Generator], Tensor]

_PAD = 4


def crop_flip(images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Pad by four zeros, cut out the old size at a random place, mirror half of the images.

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


def unchanged(images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Leave the images, and the generator, as they are."""
    del generator
    return images


AUGMENTATIONS: Mapping[str, Augmentation] = MappingProxyType({"crop-flip": crop_flip, "none": unchanged})


def augmentation(name: str) -> Augmentation:
    """The augmentation of that name.

    Raises:
        BadInputError: There is none.
    """
    if name not in AUGMENTATIONS:
        raise BadInputError(f"augmentation '{name}': unknown; {nearest(name, AUGMENTATIONS)}")
    return AUGMENTATIONS[name]
