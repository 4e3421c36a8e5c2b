"""The fixed example image: for networks whose work depends on the numbers in an image, such as detectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.channels.trace import dtype_of


def example_images(model: nn.Module, input_shape: Sequence[int], batch_size: int) -> Float[Tensor, "n ..."]:
    """A batch of one image many times, always the same one: uniform noise in [0, 1), of the network's type, on the CPU.

    Args:
        model: the network.
        input_shape: shape of one sample, without the batch.
        batch_size: how many times.
    """
    image = torch.rand(1, *input_shape, generator=torch.Generator().manual_seed(0))
    return image.to(dtype_of(model)).repeat(batch_size, *[1] * len(input_shape))
