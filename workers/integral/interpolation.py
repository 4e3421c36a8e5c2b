"""The matrices that evaluate interpolated functions.

A function is given by samples at the whole numbers 0 .. n-1; samples beyond the ends repeat the end.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from workers.integral.kernels import CUBIC, Kernel


def interpolation_matrix(
    coordinates: Float[Tensor, " m"], num_samples: int, kernel: Kernel = CUBIC
) -> Float[Tensor, "m n"]:
    """The matrix that takes n samples to the values of their interpolation at m coordinates.

    Rows sum to 1, and have two entries per half-width of the kernel; only those of a kernel that is not interpolating
    are dense, since its coefficients depend on all samples. Differentiable in the coordinates.

    Args:
        coordinates: In samples: 0 is the first sample, n-1 the last.
        num_samples: n.
        kernel: Interpolation kernel.
    """
    values = _basis_matrix(coordinates, num_samples, kernel)
    if kernel.interpolating:
        return values
    samples = torch.arange(num_samples, dtype=coordinates.dtype, device=coordinates.device)
    # Values at the samples are B c, so the coefficients c are B^-1 samples (the prefilter), and V c = (V B^-1) samples.
    filtered: Tensor = torch.linalg.solve(_basis_matrix(samples, num_samples, kernel), values, left=False)
    return filtered


def _basis_matrix(coordinates: Float[Tensor, " m"], num_samples: int, kernel: Kernel) -> Float[Tensor, "m n"]:
    """From the coefficients of n kernels to the values of their sum."""
    base = coordinates.detach().floor()
    offsets = torch.arange(1 - kernel.half_width, kernel.half_width + 1)
    taps = base[:, None] + offsets.to(dtype=coordinates.dtype, device=coordinates.device)
    weights = kernel(coordinates[:, None] - taps)
    if not kernel.sums_to_one:
        weights = weights / weights.sum(1, keepdim=True)
    columns = taps.clamp(0, num_samples - 1).long()
    return torch.zeros(len(coordinates), num_samples, dtype=coordinates.dtype, device=coordinates.device).scatter_add(
        1, columns, weights
    )
