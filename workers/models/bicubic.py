"""Bicubic enlargement as a network without weights: the control of super-resolution.

It enlarges images as the data do where networks get enlarged ones (`workers.data.resize`), which is as MATLAB's
`imresize` enlarges images of bytes: Keys' kernel with a = -0.5 (1981, doi:10.1109/TASSP.1981.1163711), mirrored beyond
the border, rows first, rounded to bytes after both passes. It computes in whole numbers, as Pillow does, so that the
result is the same to the last bit.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from workers.models._arguments import check_choice

_REACH = 2
_ONE = 2.0**22
"""Pillow's fixed-point weights are multiples of its inverse."""


class Bicubic(nn.Module):
    """Enlarges images by bicubic interpolation."""

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n channels scale_h scale_w"]:
        """Images in [0, 1] to images `scale` times as high and wide, of whole bytes; at scale 1 as they are."""
        if self.scale == 1:
            return images
        levels = (images.double() * 255).round().clamp(0, 255)
        higher = self._heightened(levels)
        wider = self._heightened(higher.transpose(2, 3)).transpose(2, 3)
        return (wider / 255).to(images.dtype)

    def _heightened(self, levels: Float64[Tensor, "n channels h w"]) -> Float64[Tensor, "n channels scale_h w"]:
        height = levels.shape[2]
        rows = torch.arange(-_REACH, height + _REACH, device=levels.device) % (2 * height)
        mirrored = levels[:, :, torch.minimum(rows, 2 * height - 1 - rows)]
        weights = _weights(self.scale).to(levels.device)
        sums = mirrored.unfold(2, 2 * _REACH + 1, 1) @ weights.T  # n channels h w scale
        return (sums / _ONE + 0.5).floor().clamp(0, 255).movedim(4, 3).flatten(2, 3)


def _weights(scale: int) -> Float64[Tensor, "scale 5"]:
    """Weights of five pixels around one for each of the pixels that it becomes, times 2 ** 22, whole numbers."""
    rows = []
    for place in range(scale):
        centre = (place + 0.5) / scale - 0.5
        row = [_kernel(pixel - centre) for pixel in range(-_REACH, _REACH + 1)]
        rows.append([round(each / math.fsum(row) * _ONE) for each in row])
    return torch.tensor(rows, dtype=torch.float64)


def _kernel(away: float) -> float:
    """Keys' cubic convolution, equation 15."""
    x = abs(away)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def bicubic(*, scale: Literal[1, 2, 3, 4]) -> nn.Module:
    """Bicubic enlargement.

    Args:
        scale: How many times as high and wide; 1: images that were enlarged before come back as they are.

    Raises:
        BadInputError: Another scale.
    """
    check_choice("bicubic", "scale", scale, (1, 2, 3, 4))
    return Bicubic(scale=scale)
