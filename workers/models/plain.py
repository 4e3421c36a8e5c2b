"""A small VGG-like network for small images, for first trials of a pipeline."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from workers.models._arguments import check_choice, check_sizes, check_widths
from workers.models._norms import NORMS


class Plain(nn.Module):
    """3x3 convolution, norm and ReLU per stage; 2x2 max pooling between stages; global average; linear.

    An image's side must be at least 2 to the power of (number of stages - 1). Without norms, convolutions have biases.
    """

    def __init__(self, *, widths: Sequence[int], num_classes: int, in_channels: int, norm: str) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage, width in enumerate(widths):
            if stage:
                layers.append(nn.MaxPool2d(2))
            convolution = nn.Conv2d(in_channels, width, 3, padding=1, bias=norm == "none")
            layers += [convolution, NORMS[norm](width), nn.ReLU()]
            in_channels = width
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(in_channels, num_classes)

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n num_classes"]:
        """Images to logits."""
        logits: Tensor = self.linear(self.pool(self.features(images)).flatten(1))
        return logits


def plain(
    *, widths: Sequence[int] = (32, 64, 128), num_classes: int = 10, in_channels: int = 3, norm: str = "batch"
) -> Plain:
    """The network `plain`.

    Args:
        widths: Channels of each stage.
        num_classes: Outputs.
        in_channels: Channels of an image.
        norm: After each convolution: `batch`, `layer` or `none`.

    Raises:
        BadInputError: A size is not a positive whole number, or there is no such norm.
    """
    check_widths("plain", widths)
    check_sizes("plain", num_classes=num_classes, in_channels=in_channels)
    check_choice("plain", "norm", norm, NORMS)
    return Plain(widths=widths, num_classes=num_classes, in_channels=in_channels, norm=norm)
