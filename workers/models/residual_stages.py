"""ImageNet's residual networks at any widths, without the classifier (He et al. 2016, arXiv:1512.03385, table 1).

Tensors are named as in torchvision's checkpoints: conv1, bn1, layerS.B.{conv1,bn1,...,downsample.0,downsample.1}. The
blocks are torchvision's, which is imported where they are built, since that takes seconds.
"""

from collections.abc import Mapping, Sequence

from torch import nn

from workers.models._arguments import check_choice, check_widths
from workers.models._initialise import initialise

BLOCKS: Mapping[int, tuple[int, ...]] = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""Depth -> blocks of each stage."""

_BOTTLENECKS = 50
"""Depth from which blocks have a layer more, of four times as many channels outside."""


def residual_stages(network: str, *, depth: int, widths: Sequence[int]) -> nn.Module:
    """A stem and four stages: 7x7 convolution and pooling, each halving the side, and so do all stages but the first.

    Args:
        network: Name of the network that is made of it, for messages.
        depth: Layers of the classifier: 10, 18, 34 or 50.
        widths: Channels of each stage; blocks of depth 50 have four times as many outside.

    Raises:
        BadInputError: Another depth, or not four widths.
    """
    from torchvision.models.resnet import BasicBlock, Bottleneck

    check_choice(network, "depth", depth, BLOCKS)
    check_widths(network, widths)
    block: type[BasicBlock | Bottleneck] = Bottleneck if depth >= _BOTTLENECKS else BasicBlock
    counts = BLOCKS[depth]
    check_choice(network, "the number of widths", len(widths), (len(counts),))
    stages = nn.Module()
    channels = widths[0]
    stages.add_module("conv1", nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False))
    stages.add_module("bn1", nn.BatchNorm2d(channels))
    stages.add_module("relu", nn.ReLU(inplace=True))
    stages.add_module("maxpool", nn.MaxPool2d(3, stride=2, padding=1))
    for stage, (width, count) in enumerate(zip(widths, counts, strict=True), start=1):
        members = nn.Sequential()
        for number in range(count):
            stride = 2 if stage > 1 and number == 0 else 1
            outside = width * block.expansion
            shortcut = None
            if stride != 1 or channels != outside:
                shortcut = nn.Sequential(
                    nn.Conv2d(channels, outside, 1, stride=stride, bias=False), nn.BatchNorm2d(outside)
                )
            members.append(block(channels, width, stride, shortcut))
            channels = outside
        stages.add_module(f"layer{stage}", members)
    initialise(stages)
    return stages
