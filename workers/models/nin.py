"""Network in Network for 32 x 32 images (Lin, Chen and Yan 2014, arXiv:1312.4400, section 4.2).

Every convolution is followed by two of 1x1, and there is no batch norm. The paper tunes its initial weights by hand;
here they are initialised as in He et al. 2015.
"""

from jaxtyping import Float
from torch import Tensor, nn

from workers.models._arguments import check_sizes
from workers.models._initialise import initialise


class NetworkInNetwork(nn.Module):
    """Three mlpconv blocks (5x5, 5x5, 3x3); between them 3x3 pooling to half the side, with dropout; global average.

    The last convolution makes one map per class. Other than in the paper no ReLU follows it, so that a logit can be
    negative and no class can die.
    """

    def __init__(self, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _convolution(in_channels, 192, 5),
            _convolution(192, 160, 1),
            _convolution(160, 96, 1),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Dropout(0.5),
            _convolution(96, 192, 5),
            _convolution(192, 192, 1),
            _convolution(192, 192, 1),
            nn.AvgPool2d(3, stride=2, padding=1),
            nn.Dropout(0.5),
            _convolution(192, 192, 3),
            _convolution(192, 192, 1),
        )
        self.classifier = nn.Conv2d(192, num_classes, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        initialise(self)

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n num_classes"]:
        """Images to logits."""
        logits: Tensor = self.pool(self.classifier(self.features(images))).flatten(1)
        return logits


def _convolution(in_channels: int, width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, width, kernel, padding=kernel // 2), nn.ReLU())


def nin(*, num_classes: int = 10, in_channels: int = 3) -> NetworkInNetwork:
    """The network `nin`.

    Args:
        num_classes: Outputs.
        in_channels: Channels of an image.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_sizes("nin", num_classes=num_classes, in_channels=in_channels)
    return NetworkInNetwork(num_classes=num_classes, in_channels=in_channels)
