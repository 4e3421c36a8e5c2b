"""A tiny concatenating network for small images (Huang et al. 2017, arXiv:1608.06993, section 3).

It is here because its channels are hard on pruning: every layer reads a concatenation of all earlier ones.
Knows no data.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.models._arguments import check_sizes


class DenseLayer(nn.Module):
    """Batch norm, ReLU and a 3x3 convolution, whose output is appended to the input's channels."""

    def __init__(self, *, in_channels: int, growth: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(in_channels, growth, 3, padding=1, bias=False)

    def forward(self, features: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n channels_and_growth h w"]:
        """Features to the same features and `growth` channels more."""
        return torch.cat([features, self.conv(self.relu(self.bn(features)))], dim=1)


class DenseNet(nn.Module):
    """A 3x3 stem, a dense block, a transition to half the channels and side, a dense block, average, linear."""

    def __init__(self, *, growth: int, layers: int, num_classes: int, in_channels: int) -> None:
        super().__init__()
        channels = 2 * growth
        self.stem = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.block1, channels = _dense_block(channels, growth, layers)
        self.transition = nn.Sequential(
            nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)
        )
        self.block2, channels = _dense_block(channels // 2, growth, layers)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, num_classes)

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n num_classes"]:
        """Images to logits."""
        features: Tensor = self.block2(self.transition(self.block1(self.stem(images))))
        logits: Tensor = self.linear(self.pool(self.relu(self.bn(features))).flatten(1))
        return logits


def _dense_block(channels: int, growth: int, layers: int) -> tuple[nn.Sequential, int]:
    """A block and the number of channels that leave it."""
    members = [DenseLayer(in_channels=channels + layer * growth, growth=growth) for layer in range(layers)]
    return nn.Sequential(*members), channels + layers * growth


def densenet(*, growth: int = 12, layers: int = 3, num_classes: int = 10, in_channels: int = 3) -> DenseNet:
    """The network `densenet`.

    Args:
        growth: Channels that each layer adds.
        layers: Layers in each of the two blocks.
        num_classes: Outputs.
        in_channels: Channels of an image.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_sizes("densenet", growth=growth, layers=layers, num_classes=num_classes, in_channels=in_channels)
    return DenseNet(growth=growth, layers=layers, num_classes=num_classes, in_channels=in_channels)
