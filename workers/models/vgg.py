"""VGG-16 with batch norm for 32 x 32 images (Simonyan and Zisserman 2015, arXiv:1409.1556, column D).

The tensors are named as in the published CIFAR checkpoints: `features` numbered as torchvision's vgg16_bn, with
biases; `classifier` 0 linear, 1 batch norm, 3 linear. Knows no data and no checkpoint file.
"""

from jaxtyping import Float
from torch import Tensor, nn

from workers.models._arguments import check_sizes

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class CifarVgg(nn.Module):
    """Thirteen 3x3 convolutions in five stages, each stage ending in 2x2 max pooling; two linear layers.

    An image's side must be at least 32; what is left beyond 1 x 1 is averaged.
    """

    def __init__(self, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage in _STAGES:
            for width in stage:
                layers += [nn.Conv2d(in_channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                in_channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, num_classes)
        )

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n num_classes"]:
        """Images to logits."""
        logits: Tensor = self.classifier(self.pool(self.features(images)).flatten(1))
        return logits


def cifar_vgg16_bn(*, num_classes: int = 10, in_channels: int = 3) -> CifarVgg:
    """The network `cifar_vgg16_bn`.

    Args:
        num_classes: Outputs.
        in_channels: Channels of an image.

    Raises:
        BadInputError: A size is not a positive whole number.
    """
    check_sizes("cifar_vgg16_bn", num_classes=num_classes, in_channels=in_channels)
    return CifarVgg(num_classes=num_classes, in_channels=in_channels)
