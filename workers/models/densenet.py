"""Concatenating networks for small images (Huang et al. 2017, arXiv:1608.06993, section 3).

Hard to prune: every layer reads a concatenation of all earlier ones. Convolutions are initialised as in He et al. 2015.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.models._arguments import check_sizes
from workers.models._initialise import initialise
from workers.models.selection import ChannelSelection, selection


class DenseLayer(nn.Module):
    """Batch norm, ReLU and a 3x3 convolution, whose output is appended to the input's channels."""

    def __init__(self, *, in_channels: int, growth: int, channel_selection: bool) -> None:
        super().__init__()
        self.select = selection(in_channels, channel_selection)
        self.bn = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(in_channels, growth, 3, padding=1, bias=False)

    def forward(self, features: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n channels_and_growth h w"]:
        """Features to the same features and `growth` channels more."""
        return torch.cat([features, self.conv(self.relu(self.bn(self.select(features))))], dim=1)


class DenseNet(nn.Module):
    """A 3x3 stem; dense blocks with transitions to half the side between them; batch norm, average, linear.

    Args:
        stem: Channels of the stem.
        growth: Channels that each layer adds.
        blocks: Dense blocks.
        layers: Layers in each of them.
        compression: Fraction of its channels that a transition passes on, rounded down.
        num_classes: Outputs.
        in_channels: Channels of an image.
        channel_selection: Whether every layer and transition picks the channels that it reads.
    """

    def __init__(
        self,
        *,
        stem: int,
        growth: int,
        blocks: int,
        layers: int,
        compression: float,
        num_classes: int,
        in_channels: int,
        channel_selection: bool,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, stem, 3, padding=1, bias=False)
        self.features = nn.Sequential()
        channels = stem
        for block in range(1, blocks + 1):
            if block > 1:
                passed = int(compression * channels)
                self.features.add_module(f"transition{block - 1}", _transition(channels, passed, channel_selection))
                channels = passed
            members = [
                DenseLayer(in_channels=channels + layer * growth, growth=growth, channel_selection=channel_selection)
                for layer in range(layers)
            ]
            self.features.add_module(f"block{block}", nn.Sequential(*members))
            channels += layers * growth
        self.select = selection(channels, channel_selection)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n num_classes"]:
        """Images to logits."""
        features: Tensor = self.relu(self.bn(self.select(self.features(self.stem(images)))))
        logits: Tensor = self.linear(self.pool(features).flatten(1))
        return logits


def _transition(in_channels: int, width: int, channel_selection: bool) -> nn.Sequential:
    """Batch norm, ReLU, a 1x1 convolution and 2x2 average pooling; optionally a channel selection before."""
    layers = nn.Sequential(
        nn.BatchNorm2d(in_channels), nn.ReLU(), nn.Conv2d(in_channels, width, 1, bias=False), nn.AvgPool2d(2)
    )
    return nn.Sequential(ChannelSelection(in_channels), *layers) if channel_selection else layers


def densenet(
    *,
    growth: int = 12,
    layers: int = 3,
    num_classes: int = 10,
    in_channels: int = 3,
    channel_selection: bool = False,
) -> DenseNet:
    """The network `densenet`: a tiny one of two blocks, with a transition that passes on half of the channels.

    Args:
        growth: Channels that each layer adds.
        layers: Layers in each of the two blocks.
        num_classes: Outputs.
        in_channels: Channels of an image.
        channel_selection: Whether every layer and transition picks the channels that it reads: pruning then takes from
            each of them. Otherwise a channel is removed for all its readers or for none.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_sizes("densenet", growth=growth, layers=layers, num_classes=num_classes, in_channels=in_channels)
    return DenseNet(
        stem=2 * growth,
        growth=growth,
        blocks=2,
        layers=layers,
        compression=0.5,
        num_classes=num_classes,
        in_channels=in_channels,
        channel_selection=channel_selection,
    )


def densenet40(*, num_classes: int = 10, in_channels: int = 3, channel_selection: bool = False) -> DenseNet:
    """The network `densenet40`: three blocks of twelve layers that add 12 channels each, a stem of 16.

    That is the paper's DenseNet of 40 layers with k = 12, without bottlenecks and without compression.

    Args:
        num_classes: Outputs.
        in_channels: Channels of an image.
        channel_selection: Whether every layer and transition picks the channels that it reads: pruning then takes from
            each of them. Otherwise a channel is removed for all its readers or for none.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_sizes("densenet40", num_classes=num_classes, in_channels=in_channels)
    return DenseNet(
        stem=16,
        growth=12,
        blocks=3,
        layers=12,
        compression=1.0,
        num_classes=num_classes,
        in_channels=in_channels,
        channel_selection=channel_selection,
    )
