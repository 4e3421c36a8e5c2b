"""Enhanced deep super-resolution: residual blocks without batch norm, enlarged at the end (Lim et al. 2017).

arXiv:1707.02921, sections 3.1 and 3.2 and figure 3. The tensors are named as in the authors' implementation, but for
its mean shifts. That takes images in [0, 255] and these in [0, 1], so that its biases are to be divided by 255. Weights
start as torch makes them, as they do there; as in He et al. 2015 every block would double the signal's variance.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.models._arguments import check_choice, check_sizes

_DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean red, green and blue of DIV2K's training images in [0, 1], as the authors' implementation has it."""

_SHUFFLES = {2: (2,), 3: (3,), 4: (2, 2)}
"""Factors of the pixel shuffles that make each scale."""


class MeanShift(nn.Module):
    """Adds DIV2K's mean colour, times a sign, to images; the mean of the three where the channels are not RGB.

    Args:
        in_channels: Channels of an image.
        sign: -1 to centre images before the network, 1 to undo it behind.
    """

    shift: Tensor

    def __init__(self, *, in_channels: int, sign: int) -> None:
        super().__init__()
        mean = torch.tensor(_DIV2K_MEAN)
        colour = mean if in_channels == len(mean) else mean.mean().expand(in_channels)
        self.register_buffer("shift", sign * colour.view(-1, 1, 1))

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n channels h w"]:
        """Images to shifted ones."""
        return images + self.shift


class ResidualBlock(nn.Module):
    """3x3 convolution, ReLU, 3x3 convolution; scaled and added to the input, with no ReLU behind (figure 2c)."""

    def __init__(self, *, width: int, residual_scale: float) -> None:
        super().__init__()
        self.body = nn.Sequential(_convolution(width, width), nn.ReLU(), _convolution(width, width))
        self.residual_scale = residual_scale

    def forward(self, features: Float[Tensor, "n width h w"]) -> Float[Tensor, "n width h w"]:
        """Features to features."""
        inner: Tensor = self.body(features)
        return features + self.residual_scale * inner


class Edsr(nn.Module):
    """A 3x3 convolution; residual blocks and another one around which a long skip goes; pixel shuffles; the last one.

    A shuffle by r stands behind a convolution to r * r maps per channel. A scale of 4 is made by two shuffles by 2.
    """

    def __init__(self, *, scale: int, num_blocks: int, width: int, residual_scale: float, in_channels: int) -> None:
        super().__init__()
        self.sub_mean = MeanShift(in_channels=in_channels, sign=-1)
        self.head = nn.Sequential(_convolution(in_channels, width))
        self.body = nn.Sequential()
        for _ in range(num_blocks):
            self.body.append(ResidualBlock(width=width, residual_scale=residual_scale))
        self.body.append(_convolution(width, width))
        upsampler = nn.Sequential()
        for factor in _SHUFFLES[scale]:
            upsampler.extend([_convolution(width, factor * factor * width), nn.PixelShuffle(factor)])
        self.tail = nn.Sequential(upsampler, _convolution(width, in_channels))
        self.add_mean = MeanShift(in_channels=in_channels, sign=1)

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n channels scale_h scale_w"]:
        """Images in [0, 1] to images `scale` times as high and wide, not clipped."""
        features: Tensor = self.head(self.sub_mean(images))
        enlarged: Tensor = self.add_mean(self.tail(features + self.body(features)))
        return enlarged


def _convolution(in_channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, width, 3, padding=1)


def edsr(
    *, scale: int, num_blocks: int = 32, width: int = 256, residual_scale: float = 0.1, in_channels: int = 3
) -> Edsr:
    """The network `edsr`: by default the paper's final single-scale model (section 3.2).

    Args:
        scale: How many times as high and wide the image becomes: 2, 3 or 4.
        num_blocks: Residual blocks.
        width: Channels of the features.
        residual_scale: Factor of a block's inner branch, which keeps the training of wide networks stable.
        in_channels: Channels of an image.

    Raises:
        BadInputError: The scale is another one, a size is not a positive whole number, or the factor is not positive.
    """
    check_choice("edsr", "scale", scale, _SHUFFLES)
    check_sizes("edsr", num_blocks=num_blocks, width=width, in_channels=in_channels)
    if not isinstance(residual_scale, int | float) or not 0 < residual_scale <= 1:
        raise BadInputError(
            f"network 'edsr': residual_scale is {residual_scale!r}; a number above 0, at most 1, is needed"
        )
    return Edsr(scale=scale, num_blocks=num_blocks, width=width, residual_scale=residual_scale, in_channels=in_channels)


def edsr_baseline(*, scale: int, in_channels: int = 3) -> Edsr:
    """The network `edsr_baseline`: `edsr` with 16 blocks of 64 channels, not scaled (table 1, "baseline")."""
    return edsr(scale=scale, num_blocks=16, width=64, residual_scale=1.0, in_channels=in_channels)
