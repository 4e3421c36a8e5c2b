"""Channel orders: their lengths, bounds and canonical direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

Matrix = Float64[np.ndarray, "n n"]

_PROVEN = 2e-8  # relative gap that the solvers' rounding alone leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another order of the same channels, in its canonical direction, and its length."""

    order: tuple[int, ...]
    length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """An order of n channels, its length and a proven bound.

    Lengths are in units of the distance matrix: the total variation along the group's axis.

    Attributes:
        order: A permutation of 0..n-1; position k holds channel ``order[k]``.
        length: Sum of the distances between neighbours in ``order``.
        identity_length: The same sum in the original order.
        lower_bound: Proven lower bound on all orders. Never above ``length``.
        status: ``optimal`` when the order is proven shortest (up to the solver's integer rounding, about
            1e-8 of the length), else ``feasible``.
        alternatives: Other orders that are nearly as short, by ascending length, if requested.
    """

    order: tuple[int, ...]
    length: float
    identity_length: float
    lower_bound: float
    status: Literal["optimal", "feasible"]
    alternatives: tuple[Alternative, ...] = ()

    @property
    def gap(self) -> float:
        """Relative gap: length less bound, as a fraction of the length, in [0, 1]."""
        return (self.length - self.lower_bound) / self.length if self.length > 0 else 0.0


def path_length(distances: Matrix, order: Sequence[int]) -> float:
    """Length of the open path that visits ``order``.

    Args:
        distances: Symmetric distances between channels, n x n.
        order: A permutation of 0..n-1.

    Returns:
        Sum of ``distances[order[k], order[k + 1]]``; 0 for fewer than two channels.
    """
    index = np.asarray(order, dtype=np.intp)
    return float(distances[index[:-1], index[1:]].sum())


def canonical(order: Sequence[int]) -> tuple[int, ...]:
    """The direction of a path that starts at the end with the smaller index.

    Args:
        order: A permutation; it and its reverse are the same path.

    Returns:
        ``order`` or its reverse, as plain integers.
    """
    forward = tuple(int(i) for i in order)
    return forward[::-1] if forward and forward[-1] < forward[0] else forward


def is_proven(length: float, lower_bound: float) -> bool:
    """Whether a bound meets a length, up to the solvers' rounding."""
    return length - lower_bound <= _PROVEN * length


def described(
    distances: Matrix, order: Sequence[int], lower_bound: float, alternatives: tuple[Alternative, ...] = ()
) -> Ordering:
    """The record of an order, in its canonical direction.

    Args:
        distances: Symmetric distances, n x n.
        order: A permutation of 0..n-1.
        lower_bound: A proven bound on all paths; clipped to the order's length.
        alternatives: Other orders.

    Returns:
        The order with its lengths, bound and status.
    """
    final = canonical(order)
    length = path_length(distances, final)
    return Ordering(
        order=final,
        length=length,
        identity_length=path_length(distances, range(len(distances))),
        lower_bound=min(lower_bound, length),
        status="optimal" if is_proven(length, lower_bound) else "feasible",
        alternatives=alternatives,
    )


def checked(distances: Matrix) -> Matrix:
    """The matrix as the solvers need it: float64, contiguous, symmetric, zero on the diagonal.

    Args:
        distances: Distances between channels, n x n.

    Returns:
        The same values; asymmetry at rounding level is averaged away.

    Raises:
        ValueError: Not a non-empty square matrix; negative, infinite or NaN entries; an asymmetry above
            1e-6 of the largest entry.
    """
    matrix = np.array(distances, dtype=np.float64, order="C")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ValueError(f"distances: shape {matrix.shape} is not (n, n) with n >= 1; pass pairwise_distances(...)")
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError("distances: found negative, infinite or NaN entries; distances are finite and >= 0")
    skew = float(np.abs(matrix - matrix.T).max())
    if skew > 1e-6 * float(matrix.max()):
        raise ValueError(
            f"distances: entries differ from their mirror image by up to {skew:g}; pass a symmetric matrix"
        )
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 0.0)
    return matrix
