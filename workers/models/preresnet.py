"""Pre-activation residual networks of bottlenecks for small images (He et al. 2016, arXiv:1603.05027, section 3).

Batch norm and ReLU come before each convolution, so that the shortcut path has only sums. Convolutions are initialised
as in He et al. 2015.
"""

from jaxtyping import Float
from torch import Tensor, nn

from workers.models._arguments import blocks_of, check_sizes
from workers.models._initialise import initialise
from workers.models.selection import selection

_EXPANSION = 4
"""Channels of a bottleneck's output per channel inside."""


class PreActivationBottleneck(nn.Module):
    """Batch norm, ReLU and convolution, three times: 1x1 to `width`, 3x3, 1x1 to 4 x `width`; added to the input.

    Where the shape changes, the input goes through a 1x1 convolution instead.
    """

    def __init__(self, *, in_channels: int, width: int, stride: int, channel_selection: bool) -> None:
        super().__init__()
        out_channels = _EXPANSION * width
        self.select = selection(in_channels, channel_selection)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.relu3 = nn.ReLU()
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.shortcut.append(nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False))

    def forward(self, features: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n four_widths h2 w2"]:
        """Features to features; the side is divided by the stride, rounded up."""
        inner = self.conv1(self.relu1(self.bn1(self.select(features))))
        inner = self.conv2(self.relu2(self.bn2(inner)))
        outer: Tensor = self.conv3(self.relu3(self.bn3(inner))) + self.shortcut(features)
        return outer


class PreActivationNet(nn.Module):
    """A 3x3 stem, three stages of bottlenecks (the later two halve the side), batch norm, global average, linear."""

    def __init__(self, *, blocks: int, num_classes: int, in_channels: int, channel_selection: bool) -> None:
        super().__init__()
        channels = 16
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.stages = nn.Sequential()
        for stage, width in enumerate((16, 32, 64)):
            members = nn.Sequential()
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                members.append(
                    PreActivationBottleneck(
                        in_channels=channels, width=width, stride=stride, channel_selection=channel_selection
                    )
                )
                channels = _EXPANSION * width
            self.stages.append(members)
        self.select = selection(channels, channel_selection)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n num_classes"]:
        """Images to logits."""
        features: Tensor = self.relu(self.bn(self.select(self.stages(self.conv1(images)))))
        logits: Tensor = self.linear(self.pool(features).flatten(1))
        return logits


def preresnet(
    *, depth: int, num_classes: int = 10, in_channels: int = 3, channel_selection: bool = False
) -> PreActivationNet:
    """The network `preresnet`: three stages of bottlenecks with 16, 32 and 64 channels inside.

    Args:
        depth: Layers along the main path: 9 x (blocks per stage) + 2, so 11, 20, 29, 164 and so on.
        num_classes: Outputs.
        in_channels: Channels of an image.
        channel_selection: Whether every reader of a shortcut's channels selects its own: pruning then removes channels
            from each of them, and the shortcut itself stays whole. Otherwise a channel of a shortcut is removed for all
            its readers or for none.

    Raises:
        BadInputError: The depth is not of that form, or a size is not a positive whole number.
    """
    check_sizes("preresnet", num_classes=num_classes, in_channels=in_channels)
    blocks = blocks_of("preresnet", depth, per_block=9)
    return PreActivationNet(
        blocks=blocks, num_classes=num_classes, in_channels=in_channels, channel_selection=channel_selection
    )


def preresnet164(*, num_classes: int = 10, in_channels: int = 3, channel_selection: bool = False) -> PreActivationNet:
    """The network `preresnet164`: `preresnet` with eighteen blocks per stage."""
    return preresnet(depth=164, num_classes=num_classes, in_channels=in_channels, channel_selection=channel_selection)
