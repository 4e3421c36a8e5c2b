"""U-Net: an encoder and a decoder of convolutions, whose maps of one size are put together (Ronneberger et al. 2015).

arXiv:1505.04597, section 2 and figure 1. Every convolution but the last is followed by batch norm, and all are padded,
so that there is a logit for every pixel and no map is cropped. They are initialised as in He et al. 2015.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.models._arguments import check_sizes, check_widths
from workers.models._initialise import initialise


class Unet(nn.Module):
    """Two 3x3 convolutions at each size; 2x2 max pooling between them on the way down.

    On the way up, a 2x2 transposed convolution to half the channels, put together with the map of the way down.

    Args:
        widths: Channels at each size, from the largest map to the smallest.
        num_classes: Outputs for every pixel.
        in_channels: Channels of an image.
    """

    def __init__(self, *, widths: Sequence[int], num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(_convolutions(a, b) for a, b in zip((in_channels, *widths), widths, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.enlarge, self.up = nn.ModuleList(), nn.ModuleList()
        for narrow, wide in zip(widths[-2::-1], widths[:0:-1], strict=True):
            doubled = nn.ConvTranspose2d(wide, narrow, 2, stride=2, bias=False)
            self.enlarge.append(nn.Sequential(doubled, nn.BatchNorm2d(narrow)))
            self.up.append(_convolutions(2 * narrow, narrow))
        self.classifier = nn.Conv2d(widths[0], num_classes, 1)
        initialise(self)

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n num_classes h w"]:
        """Images to logits.

        Raises:
            BadInputError: A side of the images cannot be halved as often as the network does it.
        """
        height, width = images.shape[-2:]
        factor = 2 ** len(self.up)
        if height % factor or width % factor:
            raise BadInputError(
                f"network 'unet': the images have {height} x {width} pixels; with {len(self.down)} widths, both "
                f"must be multiples of {factor}: pad or crop them, or give fewer widths"
            )
        skipped: list[Tensor] = []
        features = images
        for stage in self.down:
            features = stage(self.pool(features) if skipped else features)
            skipped.append(features)
        for enlarge, stage, skip in zip(self.enlarge, self.up, skipped[-2::-1], strict=True):
            features = stage(torch.cat([skip, enlarge(features)], 1))
        logits: Tensor = self.classifier(features)
        return logits


def _convolutions(in_channels: int, width: int) -> nn.Sequential:
    layers = nn.Sequential()
    for channels in (in_channels, width):
        layers.extend(
            [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()],
        )
    return layers


def unet(*, widths: Sequence[int] = (64, 128, 256, 512, 1024), num_classes: int = 21, in_channels: int = 3) -> Unet:
    """The network `unet`: by default with the paper's widths.

    Args:
        widths: Channels at each size, from the largest map to the smallest; each further one halves the map.
        num_classes: Outputs for every pixel, the background included.
        in_channels: Channels of an image.

    Raises:
        BadInputError: A width or a size is not a positive whole number.
    """
    check_widths("unet", widths)
    check_sizes("unet", num_classes=num_classes, in_channels=in_channels)
    return Unet(widths=tuple(widths), num_classes=num_classes, in_channels=in_channels)
