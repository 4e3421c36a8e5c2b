"""Residual networks for small images (He et al. 2016, arXiv:1512.03385, section 4.2).

The tensors are named as in the published CIFAR checkpoints: conv1, bn1,
layerS.B.{conv1,bn1,conv2,bn2,shortcut.0,shortcut.1}, linear; bottlenecks have conv3 and bn3, too. Convolutions are
initialised as in He et al. 2015.
"""

from collections.abc import Callable, Mapping, Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from workers.models._arguments import blocks_of, check_choice, check_sizes, check_widths
from workers.models._initialise import initialise

_WIDTHS = (64, 128, 256, 512)
"""Of ImageNet's residual networks."""


class PaddedShortcut(nn.Module):
    """Every `stride`-th pixel, with channels of zeros before and after; one more after if their number is odd."""

    def __init__(self, *, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.front = (width - in_channels) // 2
        self.back = width - in_channels - self.front

    def forward(self, features: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n width h2 w2"]:
        """Features to features; the side is divided by the stride, rounded up."""
        return pad(features[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.front, self.back))


def _projection(*, in_channels: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))


def _padding(*, in_channels: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(PaddedShortcut(in_channels=in_channels, width=width, stride=stride))


_SHORTCUTS: Mapping[str, Callable[..., nn.Sequential]] = {"projection": _projection, "padding": _padding}
"""Shortcuts of a block that changes the shape: the paper's options B and A, the latter without parameters."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to the input or, where the shape changes, to its shortcut."""

    expansion = 1
    """Channels that leave a block, per channel of `width`."""

    def __init__(self, *, in_channels: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != width:
            self.shortcut = _SHORTCUTS[shortcut](in_channels=in_channels, width=width, stride=stride)
        self.relu2 = nn.ReLU()

    def forward(self, features: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n width h2 w2"]:
        """Features to features; the side is divided by the stride, rounded up."""
        inner: Tensor = self.relu1(self.bn1(self.conv1(features)))
        outer: Tensor = self.relu2(self.bn2(self.conv2(inner)) + self.shortcut(features))
        return outer


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution to four times the width, with batch norm (the paper's figure 5, right).

    The 3x3 convolution has the stride, as in torchvision.
    """

    expansion = 4
    """Channels that leave a block, per channel of `width`."""

    def __init__(self, *, in_channels: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__()
        outside = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(width, outside, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != outside:
            self.shortcut = _SHORTCUTS[shortcut](in_channels=in_channels, width=outside, stride=stride)
        self.relu3 = nn.ReLU()

    def forward(self, features: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n width h2 w2"]:
        """Features to features; the side is divided by the stride, rounded up."""
        inner: Tensor = self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(features))))))
        outer: Tensor = self.relu3(self.bn3(self.conv3(inner)) + self.shortcut(features))
        return outer


class ResidualNet(nn.Module):
    """A 3x3 stem, stages of blocks (the second stage and later halve the side), global average, linear.

    Args:
        widths: Channels of each stage, those within the blocks.
        blocks: Blocks of each stage.
        num_classes: Outputs.
        in_channels: Channels of an image.
        shortcut: Of a block that changes the shape: `projection` or `padding`.
        block: What the stages are made of.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int],
        blocks: Sequence[int],
        num_classes: int,
        in_channels: int,
        shortcut: str = "projection",
        block: type[BasicBlock | Bottleneck] = BasicBlock,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        self.num_stages = len(widths)
        channels = widths[0]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
            members = nn.Sequential()
            for number in range(count):
                stride = 2 if stage > 1 and number == 0 else 1
                members.append(block(in_channels=channels, width=width, stride=stride, shortcut=shortcut))
                channels = width * block.expansion
            self.add_module(f"layer{stage}", members)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n num_classes"]:
        """Images to logits."""
        features: Tensor = self.relu(self.bn1(self.conv1(images)))
        for stage in range(1, self.num_stages + 1):
            features = self.get_submodule(f"layer{stage}")(features)
        logits: Tensor = self.linear(self.pool(features).flatten(1))
        return logits


def resnet(
    *, widths: Sequence[int] = (32, 64, 128), blocks: int = 1, num_classes: int = 10, in_channels: int = 3
) -> ResidualNet:
    """The network `resnet`.

    Args:
        widths: Channels of each stage.
        blocks: Basic blocks per stage.
        num_classes: Outputs.
        in_channels: Channels of an image.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_widths("resnet", widths)
    check_sizes("resnet", blocks=blocks, num_classes=num_classes, in_channels=in_channels)
    counts = [blocks] * len(widths)
    return ResidualNet(widths=widths, blocks=counts, num_classes=num_classes, in_channels=in_channels)


def cifar_resnet(
    *, depth: int, shortcut: str = "projection", num_classes: int = 10, in_channels: int = 3
) -> ResidualNet:
    """The network `cifar_resnet`: three stages of 16, 32 and 64 channels.

    Args:
        depth: Layers along the main path: 6 x (blocks per stage) + 2, so 20, 32, 44, 56, 110 and so on.
        shortcut: Shortcut of a block that changes the shape: `projection`, a 1x1 convolution with batch norm, or
            `padding`, every second pixel and channels of zeros, as the paper has it on CIFAR.
        num_classes: Outputs.
        in_channels: Channels of an image.

    Raises:
        BadInputError: The depth is not of that form, the shortcut is unknown, or a size is not a positive whole number.
    """
    check_sizes("cifar_resnet", num_classes=num_classes, in_channels=in_channels)
    check_choice("cifar_resnet", "shortcut", shortcut, _SHORTCUTS)
    blocks = blocks_of("cifar_resnet", depth, per_block=6)
    return ResidualNet(
        widths=(16, 32, 64), blocks=(blocks,) * 3, num_classes=num_classes, in_channels=in_channels, shortcut=shortcut
    )


def cifar_resnet20(*, shortcut: str = "projection", num_classes: int = 10, in_channels: int = 3) -> ResidualNet:
    """The network `cifar_resnet20`: `cifar_resnet` with three blocks per stage."""
    return cifar_resnet(depth=20, shortcut=shortcut, num_classes=num_classes, in_channels=in_channels)


def cifar_resnet56(*, shortcut: str = "projection", num_classes: int = 10, in_channels: int = 3) -> ResidualNet:
    """The network `cifar_resnet56`: `cifar_resnet` with nine blocks per stage."""
    return cifar_resnet(depth=56, shortcut=shortcut, num_classes=num_classes, in_channels=in_channels)


def cifar_resnet110(*, shortcut: str = "projection", num_classes: int = 10, in_channels: int = 3) -> ResidualNet:
    """The network `cifar_resnet110`: `cifar_resnet` with eighteen blocks per stage."""
    return cifar_resnet(depth=110, shortcut=shortcut, num_classes=num_classes, in_channels=in_channels)


def cifar_resnet18(*, num_classes: int = 10, in_channels: int = 3) -> ResidualNet:
    """The network `cifar_resnet18`: ImageNet's ResNet-18 (He et al. 2016, table 1) on a 3x3 stem without pooling.

    Args:
        num_classes: Outputs.
        in_channels: Channels of an image.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_sizes("cifar_resnet18", num_classes=num_classes, in_channels=in_channels)
    return ResidualNet(widths=_WIDTHS, blocks=(2, 2, 2, 2), num_classes=num_classes, in_channels=in_channels)


def cifar_resnet50(*, num_classes: int = 10, in_channels: int = 3) -> ResidualNet:
    """The network `cifar_resnet50`: ImageNet's ResNet-50 (He et al. 2016, table 1) on a 3x3 stem without pooling.

    Args:
        num_classes: Outputs.
        in_channels: Channels of an image.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_sizes("cifar_resnet50", num_classes=num_classes, in_channels=in_channels)
    return ResidualNet(
        widths=_WIDTHS, blocks=(3, 4, 6, 3), num_classes=num_classes, in_channels=in_channels, block=Bottleneck
    )
