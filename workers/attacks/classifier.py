"""A network as a function of pixels, which attacks change: the normalisation of the data becomes part of it."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.data.images import ImageStatistics
from workers.inputs import Inputs

_ROUNDING = 1e-3


class PixelClassifier(nn.Module):
    """From pixels in [0, 1] to logits.

    Args:
        module: In evaluation mode; shared, its parameters get no gradients.
        predict: From it and its inputs to the logits.
        normalized: What the data subtracts from pixels and divides them by; None: nothing.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, module: nn.Module, predict: Callable[[nn.Module, Inputs], Any], normalized: ImageStatistics | None
    ) -> None:
        super().__init__()
        self._module, self._predict = module.requires_grad_(False), predict
        mean, std = normalized or ((0.0,), (1.0,))
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def pixels(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The pixels of images as the data gives them, without what rounding adds beyond [0, 1].

        Raises:
            BadInputError: They are no pixels: the data was normalised in a way that it does not tell.
        """
        pixels = images * self.std + self.mean
        if not bool(((pixels > -_ROUNDING) & (pixels < 1 + _ROUNDING)).all()):
            raise BadInputError(
                f"attacks change pixels between 0 and 1, and this data has values from {float(pixels.min()):.3g} to "
                f"{float(pixels.max()):.3g}; let it give pixels and say `data.normalize`, or say in its "
                "`ImageData.normalized` how it was normalised"
            )
        return pixels.clamp(0, 1)

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits."""
        logits: Tensor = self._predict(self._module, (pixels - self.mean) / self.std)
        return logits
