"""VGG for 32 x 32 images (Simonyan and Zisserman 2015, arXiv:1409.1556, columns A, D and E).

The tensors are named as in the published CIFAR checkpoints: `features` numbered as torchvision's vgg*_bn, with
biases; `classifier` 0 linear, with a hidden layer 0 linear, 1 batch norm, 3 linear. Convolutions are initialised as
in He et al. 2015.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from workers.models._arguments import check_choice, check_sizes
from workers.models._initialise import initialise
from workers.models._norms import NORMS

_WIDTHS = (64, 128, 256, 512, 512)


class CifarVgg(nn.Module):
    """Five stages of 3x3 convolutions with norms, each stage ending in 2x2 max pooling; one or two linear layers.

    An image's side must be at least 32; a map larger than 1 x 1 is averaged at the end.

    Args:
        convolutions: Convolutions of each of the five stages.
        hidden: Whether a linear layer of 512 with batch norm and ReLU comes before the last one.
        num_classes: Outputs.
        in_channels: Channels of an image.
        norm: After each convolution: `batch`, `layer` or `none`.
    """

    def __init__(
        self, *, convolutions: Sequence[int], hidden: bool, num_classes: int, in_channels: int, norm: str = "batch"
    ) -> None:
        super().__init__()
        self.features = nn.Sequential()
        for number, width in zip(convolutions, _WIDTHS, strict=True):
            for _ in range(number):
                self.features.extend([nn.Conv2d(in_channels, width, 3, padding=1), NORMS[norm](width), nn.ReLU()])
                in_channels = width
            self.features.append(nn.MaxPool2d(2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential()
        if hidden:
            self.classifier.extend([nn.Linear(in_channels, 512), nn.BatchNorm1d(512), nn.ReLU()])
            in_channels = 512
        self.classifier.append(nn.Linear(in_channels, num_classes))
        initialise(self)

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n num_classes"]:
        """Images to logits."""
        logits: Tensor = self.classifier(self.pool(self.features(images)).flatten(1))
        return logits


def cifar_vgg11(*, num_classes: int = 10, in_channels: int = 3, norm: str = "batch") -> CifarVgg:
    """The network `cifar_vgg11`: `cifar_vgg11_bn` with a choice of its norms.

    Args:
        num_classes: Outputs.
        in_channels: Channels of an image.
        norm: After each convolution: `batch`, `layer` or `none`.

    Raises:
        BadInputError: A size is not a positive whole number, or there is no such norm.
    """
    check_sizes("cifar_vgg11", num_classes=num_classes, in_channels=in_channels)
    check_choice("cifar_vgg11", "norm", norm, NORMS)
    return CifarVgg(
        convolutions=(1, 1, 2, 2, 2), hidden=False, num_classes=num_classes, in_channels=in_channels, norm=norm
    )


def cifar_vgg11_bn(*, num_classes: int = 10, in_channels: int = 3) -> CifarVgg:
    """The network `cifar_vgg11_bn`: column A, and the single linear layer of `cifar_vgg19_bn`.

    Args:
        num_classes: Outputs.
        in_channels: Channels of an image.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_sizes("cifar_vgg11_bn", num_classes=num_classes, in_channels=in_channels)
    return CifarVgg(convolutions=(1, 1, 2, 2, 2), hidden=False, num_classes=num_classes, in_channels=in_channels)


def cifar_vgg16_bn(*, num_classes: int = 10, in_channels: int = 3) -> CifarVgg:
    """The network `cifar_vgg16_bn`: column D, and the hidden layer of Li et al. 2017 (arXiv:1608.08710, section 4.1).

    Args:
        num_classes: Outputs.
        in_channels: Channels of an image.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_sizes("cifar_vgg16_bn", num_classes=num_classes, in_channels=in_channels)
    return CifarVgg(convolutions=(2, 2, 3, 3, 3), hidden=True, num_classes=num_classes, in_channels=in_channels)


def cifar_vgg19_bn(*, num_classes: int = 10, in_channels: int = 3) -> CifarVgg:
    """The network `cifar_vgg19_bn`: column E, one linear layer (network slimming, Liu et al. 2017, arXiv:1708.06519).

    Args:
        num_classes: Outputs.
        in_channels: Channels of an image.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_sizes("cifar_vgg19_bn", num_classes=num_classes, in_channels=in_channels)
    return CifarVgg(convolutions=(2, 2, 4, 4, 4), hidden=False, num_classes=num_classes, in_channels=in_channels)
