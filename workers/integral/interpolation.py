"""Interpolation kernels, and the matrices that evaluate interpolated functions.

A function is given by samples at the whole numbers 0 .. n-1. This module does not know what the samples are.
"""

import torch
from jaxtyping import Float
from torch import Tensor

CUBIC_A = -0.75
"""The free parameter of cubic convolution; this value is that of torch's bicubic interpolation."""


def cubic_convolution(distance: Float[Tensor, "*any"], a: float = CUBIC_A) -> Float[Tensor, "*any"]:
    """The cubic convolution kernel u(s); zero from a distance of 2 on.

    Source: Keys 1981, equation 15 (there with a = -1/2); INN, section 3.1.

    Args:
        distance: Distance from the sample, in samples.
        a: Slope of the kernel at distance 1.
    """
    s = distance.abs()
    inner = ((a + 2) * s - (a + 3)) * s * s + 1
    outer = ((a * s - 5 * a) * s + 8 * a) * s - 4 * a
    return torch.where(s <= 1, inner, torch.where(s < 2, outer, torch.zeros_like(s)))


def interpolation_matrix(coordinates: Float[Tensor, " m"], num_samples: int) -> Float[Tensor, "m n"]:
    """The matrix that takes n samples to the values of their cubic interpolation at m coordinates.

    Four entries per row; samples beyond the ends repeat the end. Rows sum to 1. Differentiable in the coordinates.

    Args:
        coordinates: In samples: 0 is the first sample, n-1 the last.
        num_samples: n.
    """
    base = coordinates.detach().floor()
    taps = base[:, None] + torch.arange(-1, 3, dtype=coordinates.dtype, device=coordinates.device)
    weights = cubic_convolution(coordinates[:, None] - taps)
    columns = taps.clamp(0, num_samples - 1).long()
    return torch.zeros(len(coordinates), num_samples, dtype=coordinates.dtype, device=coordinates.device).scatter_add(
        1, columns, weights
    )
