"""How close images are to the wanted ones: PSNR and SSIM, as papers on super-resolution measure them.

Outputs are clipped to [0, 1] and rounded to bytes, as an image that is saved; targets stay as they are. Then pixels at
every border are left out, since there networks see less. The luma is that of `workers.data.resize.luma` and is not
rounded again. All is computed in double precision, image by image, and averaged over the images.

Of images with one channel, which is taken for the luma, both kinds of metrics are the same.
"""

import math

import torch
import torchmetrics
from jaxtyping import Float, Float64
from torch import Tensor

from jobs.errors import BadInputError
from workers.data.resize import luma

_SMALLEST_ERROR = 1e-10
"""Mean squared error that counts for images without any: 100 dB, as the mean over images must be finite."""

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


class ImageQuality(torchmetrics.Metric):
    """The mean over the images of a measure of each.

    Args:
        shave: Pixels left out at every border.
        on_luma: Whether images of three channels are compared by their luma.
    """

    total: Tensor
    seen: Tensor

    def __init__(self, *, shave: int, on_luma: bool) -> None:
        super().__init__()
        self.shave, self.on_luma = shave, on_luma
        self.add_state("total", default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("seen", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, outputs: Float[Tensor, "n c h w"], targets: Float[Tensor, "n c h w"]) -> None:
        """Measure a batch.

        Raises:
            BadInputError: The images are too small.
        """
        saved = (outputs.double().clamp(0, 1) * 255).round() / 255
        for image, wanted in zip(saved, targets.double(), strict=True):
            self.total += self.of_pair(self._compared(image), self._compared(wanted))
        self.seen += len(targets)

    def compute(self) -> Float64[Tensor, ""]:
        """The mean over the images."""
        return self.total / self.seen

    def of_pair(self, image: Float64[Tensor, "c h w"], wanted: Float64[Tensor, "c h w"]) -> Float64[Tensor, ""]:
        """The measure of one image, whose border is gone."""
        raise NotImplementedError

    def _compared(self, image: Float64[Tensor, "c h w"]) -> Float64[Tensor, "k h2 w2"]:
        """What is compared of an image."""
        border, (height, width) = self.shave, image.shape[1:]
        if min(height, width) <= 2 * border:
            raise BadInputError(
                f"an image of the data is {height} x {width} pixels large, of which {border} are shaved off at every "
                "border; leave it out, or set the objective's `shave`"
            )
        inner = image[:, border : height - border, border : width - border]
        return luma(inner) if self.on_luma and len(inner) == 3 else inner


class Psnr(ImageQuality):
    """Peak signal-to-noise ratio in decibels, with a peak of 1; of all channels together.

    Of an image without any error it is 100 dB.
    """

    def of_pair(self, image: Float64[Tensor, "c h w"], wanted: Float64[Tensor, "c h w"]) -> Float64[Tensor, ""]:
        """From the mean squared error."""
        return -10 * (image - wanted).square().mean().clamp_min(_SMALLEST_ERROR).log10()


class Ssim(ImageQuality):
    """Structural similarity, the mean over the places of the window within the image, and over the channels.

    Source: Wang et al. 2004, doi:10.1109/TIP.2003.819861, section III.C: a Gaussian window of 11 x 11 pixels with
    sigma 1.5, K1 = 0.01, K2 = 0.03.
    """

    def of_pair(self, image: Float64[Tensor, "c h w"], wanted: Float64[Tensor, "c h w"]) -> Float64[Tensor, ""]:
        """From means, variances and covariance within the windows."""
        height, width = image.shape[1:]
        if min(height, width) < _WINDOW:
            raise BadInputError(
                f"SSIM: an image of the data is {height} x {width} pixels large without its shaved border, and the "
                f"window needs {_WINDOW} x {_WINDOW}; leave it out of the data, or test on larger ones"
            )
        mean, other = _blurred(image), _blurred(wanted)
        variances = _blurred(image.square()) - mean.square() + _blurred(wanted.square()) - other.square()
        covariance = _blurred(image * wanted) - mean * other
        luminance = (2 * mean * other + _C1) / (mean.square() + other.square() + _C1)
        return (luminance * (2 * covariance + _C2) / (variances + _C2)).mean()


def _blurred(image: Float64[Tensor, "c h w"]) -> Float64[Tensor, "c h2 w2"]:
    """The weighted means within the windows, by rows and columns; adding shifted images is faster than convolving."""
    weights = [math.exp(-((place - _WINDOW // 2) ** 2) / (2 * _SIGMA**2)) for place in range(_WINDOW)]
    for axis in (1, 2):
        length = image.shape[axis] - _WINDOW + 1
        mean = torch.zeros_like(image.narrow(axis, 0, length))
        for place, weight in enumerate(weights):
            mean.add_(image.narrow(axis, place, length), alpha=weight / math.fsum(weights))
        image = mean
    return image
