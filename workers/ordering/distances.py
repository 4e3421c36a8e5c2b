"""Distances between two channels, summed over all tensor slices of a group.

Pure: a slice is a matrix with one row per channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

DistanceMetric = Literal["l1", "l2", "cosine"]
Scaling = Literal["none", "tensor"]

_BLOCK = 64  # rows of either side that are compared at once ...
_COLUMNS = 512  # ... in so many columns: a temporary of 8 MB, whatever n and d are


def pairwise_distances(
    slices: Sequence[Float[Tensor, "n ..."]], *, metric: DistanceMetric = "l1", normalize: Scaling = "none"
) -> Float64[np.ndarray, "n n"]:
    """Distances between channels: the sum over slices of the distance between their rows.

    Blocks of rows and columns are compared by differences in float32, which unlike scalar products do not cancel, and
    accumulated in float64 on the slices' device; nothing of size n x n x d is made. The l1 form is the objective of
    Integral Neural Networks (CVPR 2023), section 3 ("permutation"): the total variation along the group's axis.

    Args:
        slices: One tensor per slice, all with the same n >= 1 on the first axis; further axes are flattened
            and may be empty. Any floating dtype and device.
        metric: ``l1`` sums absolute differences; ``l2`` sums, over slices, the Euclidean distance; ``cosine`` is 1
            minus the cosine of the angle between all entries of two channels. A dead channel (all zero) is at cosine
            distance 1 from every other that is not dead.
        normalize: ``tensor`` divides each slice by its size (sum of absolute values for l1, else Frobenius norm), so
            that every slice counts the same, whatever the scale of its tensor; an all-zero slice stays.

    Returns:
        n x n, float64, symmetric, zero on the diagonal; units of the weights, none where normalised or cosine.

    Raises:
        ValueError: No slices, another number of rows, a name that is not known, or a slice that holds NaN or
            infinity (the message says which).
    """
    for field, value, known in (("metric", metric, _METRICS), ("normalize", normalize, ("none", "tensor"))):
        if value not in known:
            raise ValueError(f"{field}: {value!r} is not one of {', '.join(known)}")
    rows = _checked_rows(slices)
    if normalize == "tensor":
        rows = [
            _over(matrix, torch.linalg.vector_norm(matrix, 1 if metric == "l1" else 2)[None, None]) for matrix in rows
        ]
    upper = _METRICS[metric](rows).triu(1)  # mirrored: symmetric to the last bit
    return np.asarray((upper + upper.T).cpu().numpy(), dtype=np.float64)


def _l1(rows: Sequence[Float[Tensor, "n _"]]) -> Float64[Tensor, "n n"]:
    return _summed(rows, torch.Tensor.abs_)


def _l2(rows: Sequence[Float[Tensor, "n _"]]) -> Float64[Tensor, "n n"]:
    return torch.stack([_summed([matrix], torch.Tensor.square_).sqrt_() for matrix in rows]).sum(0)


def _cosine(rows: Sequence[Float[Tensor, "n _"]]) -> Float64[Tensor, "n n"]:
    """Half the squared distance of unit vectors is 1 minus the cosine between them."""
    lengths = torch.stack([torch.linalg.vector_norm(matrix, 2, dim=1) for matrix in rows]).norm(dim=0)
    half = _summed([_over(matrix, lengths[:, None]) for matrix in rows], torch.Tensor.square_) / 2
    dead = lengths == 0
    half[dead[:, None] ^ dead[None, :]] = 1.0
    return half


_METRICS: Mapping[str, Callable[[Sequence[Tensor]], Tensor]] = MappingProxyType(
    {"l1": _l1, "l2": _l2, "cosine": _cosine}
)


def _over(matrix: Float[Tensor, "n d"], size: Float[Tensor, "#n #d"]) -> Float[Tensor, "n d"]:
    """The matrix divided by its size; zero where the size is."""
    return matrix / torch.where(size > 0, size, 1.0)


def _summed(rows: Sequence[Float[Tensor, "n _"]], cost: Callable[[Tensor], Tensor]) -> Float64[Tensor, "n n"]:
    """The sum over all columns of a cost of the difference of two rows; only blocks on and above the diagonal."""
    n = len(rows[0])
    total = torch.zeros(n, n, dtype=torch.float64, device=rows[0].device)
    for columns in _columns(rows):
        for top in range(0, n, _BLOCK):
            for left in range(top, n, _BLOCK):
                difference = columns[top : top + _BLOCK, None] - columns[None, left : left + _BLOCK]
                total[top : top + _BLOCK, left : left + _BLOCK] += cost(difference).sum(2)
    return total


def _columns(rows: Sequence[Float[Tensor, "n _"]]) -> Iterator[Float[Tensor, "n few"]]:
    for matrix in rows:
        for start in range(0, matrix.shape[1], _COLUMNS):
            yield matrix[:, start : start + _COLUMNS].contiguous()


def _checked_rows(slices: Sequence[Tensor]) -> list[Float[Tensor, "n _"]]:
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
