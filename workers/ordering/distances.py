"""How unlike two channels are: distances summed over every tensor slice that a group owns.

This module refuses to know what a layer is: it sees one matrix of rows per slice, one row per channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

Metric = Literal["l1", "l2"]

_ORDER = {"l1": 1.0, "l2": 2.0}


def pairwise_distances(
    slices: Sequence[Float[Tensor, "n ..."]], *, metric: Metric = "l1", block: int = 256
) -> Float64[np.ndarray, "n n"]:
    """Distances between channels: the sum over slices of the distance between their rows.

    Blocks of rows are compared in float32 and accumulated in float64, without a temporary of n x n x d.
    The l1 form is the objective of Integral Neural Networks (CVPR 2023), section 3 ("permutation"): the
    total variation along the group's axis.

    Args:
        slices: One tensor per slice, all with the same n >= 1 on the first axis; further axes are flattened
            and may be empty. Any floating dtype and device.
        metric: ``l1`` sums absolute differences; ``l2`` sums, over slices, the Euclidean distance.
        block: Rows per block.

    Returns:
        n x n, float64, symmetric, zero on the diagonal; units of the weights.

    Raises:
        ValueError: No slices, another number of rows, a metric that is not known, or a slice that holds
            NaN or infinity (the message says which).
    """
    if metric not in _ORDER:
        raise ValueError(f"metric: {metric!r} is not one of {', '.join(_ORDER)}")
    rows = _checked_rows(slices)
    n = rows[0].shape[0]
    total = np.zeros((n, n), dtype=np.float64)
    for matrix in rows:
        if matrix.shape[1] == 0:
            continue
        for top in range(0, n, block):
            for left in range(top, n, block):
                total[top : top + block, left : left + block] += _block(
                    matrix[top : top + block], matrix[left : left + block], metric
                )
    upper = np.triu(total, 1)  # the lower triangle of a diagonal block is dropped, then mirrored: exact symmetry
    return upper + upper.T


def _block(a: Float[Tensor, "p d"], b: Float[Tensor, "q d"], metric: Metric) -> Float64[np.ndarray, "p q"]:
    """Distances between two sets of rows, by differences and not by scalar products, which would cancel."""
    out = torch.cdist(a, b, p=_ORDER[metric], compute_mode="donot_use_mm_for_euclid_dist")
    return np.asarray(out.double().cpu().numpy(), dtype=np.float64)


def _checked_rows(slices: Sequence[Tensor]) -> list[Float[Tensor, "n d"]]:
    """The slices as float32 matrices of one row per channel, or one error that lists every fault."""
    if not slices:
        raise ValueError("slices: none given; a group owns at least one tensor slice")
    num_channels = slices[0].shape[0] if slices[0].ndim else 0
    rows, faults = [], []
    for index, tensor in enumerate(slices):
        if tensor.ndim == 0 or tensor.shape[0] != num_channels or num_channels == 0:
            faults.append(
                f"  slices[{index}]: shape {tuple(tensor.shape)}; every slice needs {num_channels or '>= 1'} rows"
            )
            continue
        matrix = tensor.detach().to(torch.float32).reshape(num_channels, tensor[0].numel())
        num_bad = int((~torch.isfinite(matrix)).sum())
        if num_bad:
            faults.append(f"  slices[{index}]: {num_bad} of {matrix.numel()} values are not finite in float32")
        rows.append(matrix)
    if faults:
        raise ValueError(
            f"slices: {len(faults)} problem{'s' * (len(faults) > 1)}; repair the weights\n" + "\n".join(faults)
        )
    return rows
