"""Bicubic enlargement as a network without weights: the control of super-resolution."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from workers.models._arguments import check_choice


class Bicubic(nn.Module):
    """Enlarges images by bicubic interpolation with torch's kernel, a = -0.75, and clips them to [0, 1]."""

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n channels scale_h scale_w"]:
        """Images in [0, 1] to images `scale` times as high and wide."""
        if self.scale == 1:
            return images
        return functional.interpolate(images, scale_factor=self.scale, mode="bicubic").clamp(0, 1)


def bicubic(*, scale: Literal[1, 2, 3, 4]) -> nn.Module:
    """Bicubic enlargement.

    Args:
        scale: How many times as high and wide; 1: images that were enlarged before come back as they are.

    Raises:
        BadInputError: Another scale.
    """
    check_choice("bicubic", "scale", scale, (1, 2, 3, 4))
    return Bicubic(scale=scale)
