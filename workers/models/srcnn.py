"""The first convolutional network for super-resolution (Dong et al. 2016, arXiv:1501.00092, section 3.1).

It sharpens an image that was enlarged bicubically before; by default its luma alone, as in the paper. The paper draws
weights of standard deviation 0.001 and needs 8e8 backward passes from there (sections 3.3 and 4.1); here they are
initialised as in He et al. 2015. Images are padded with zeros, so that they keep their size.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.models._arguments import check_sizes, check_widths
from workers.models._initialise import initialise


class Srcnn(nn.Module):
    """Three convolutions: patch extraction, non-linear mapping, each with a ReLU, and reconstruction."""

    def __init__(self, *, kernels: Sequence[int], widths: Sequence[int], in_channels: int) -> None:
        super().__init__()
        first, second, third = kernels
        self.conv1 = nn.Conv2d(in_channels, widths[0], first, padding=first // 2)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(widths[0], widths[1], second, padding=second // 2)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(widths[1], in_channels, third, padding=third // 2)
        initialise(self)

    def forward(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n channels h w"]:
        """Enlarged images to sharper ones of the same size, not clipped."""
        sharper: Tensor = self.conv3(self.relu2(self.conv2(self.relu1(self.conv1(images)))))
        return sharper


def srcnn(*, kernels: Sequence[int] = (9, 5, 5), widths: Sequence[int] = (64, 32), in_channels: int = 1) -> Srcnn:
    """The network `srcnn`.

    Args:
        kernels: Sides of the three convolutions' kernels: 9, 5, 5 is the best one of the paper (section 4.3.2), 9, 1, 5
            its basic one (section 4.1).
        widths: Channels of the first two convolutions.
        in_channels: Channels of an image: 1 for luma alone.

    Raises:
        BadInputError: There are not three kernels of odd sides and two widths, or a size is no positive whole number.
    """
    check_sizes("srcnn", in_channels=in_channels)
    check_widths("srcnn", widths)
    if len(widths) != 2:
        raise BadInputError(f"network 'srcnn': widths is {widths!r}; two are needed, for example [64, 32]")
    odd = isinstance(kernels, list | tuple) and all(isinstance(each, int) and each % 2 == 1 for each in kernels)
    if not odd or len(kernels) != 3 or min(kernels) < 1:
        raise BadInputError(
            f"network 'srcnn': kernels is {kernels!r}; three odd sides are needed, for example [9, 5, 5]"
        )
    return Srcnn(kernels=kernels, widths=widths, in_channels=in_channels)
