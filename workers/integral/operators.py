"""Linear operators on rows, applied in the cheapest way: as the identity, sparse or dense.

The matrices from coefficients to weights have a handful of entries per row. Not differentiable in the matrix
(`resample` is).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

_ZERO = 1e-9
"""Entries below this are rounding, far below single precision."""

_DENSE = 1 / 8
"""From this share of entries on, a dense product was no slower (512 x 512 by 512 x 4608, one core)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entries:
    """The non-zero entries of a matrix, row by row.

    Attributes:
        columns: The column of each.
        starts: Where each row begins.
        values: Their values.
    """

    columns: Int64[Tensor, " entries"]
    starts: Int64[Tensor, " rows"]
    values: Float[Tensor, " entries"]

    @classmethod
    def of(cls, rows: Tensor, columns: Tensor, values: Tensor, num_rows: int, device: torch.device) -> _Entries:
        """Entries by row, column and value, the rows in ascending order."""
        counts = rows.bincount(minlength=num_rows)
        starts = counts.cumsum(0) - counts
        return cls(columns=columns.to(device), starts=starts.to(device), values=values.to(device))

    def __matmul__(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "m d"]:
        values = self.values.to(rows.dtype)
        return functional.embedding_bag(
            self.columns, rows.contiguous(), self.starts, mode="sum", per_sample_weights=values
        )


class _SparseProduct(torch.autograd.Function):
    """M X by the entries of M; its gradient is M^T G by those of M^T, so that no scatter is needed."""

    @staticmethod
    def forward(ctx: object, rows: Tensor, entries: _Entries, transposed: _Entries) -> Tensor:
        ctx.entries, ctx.transposed = entries, transposed  # type: ignore[attr-defined]  # torch's own contract
        return entries @ rows

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> tuple[Tensor, None, None]:
        entries, transposed = ctx.entries, ctx.transposed  # type: ignore[attr-defined]  # torch's own contract
        return _SparseProduct.apply(gradients[0], transposed, entries), None, None


class Identity:
    """The identity on rows."""

    def __call__(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The rows."""
        return rows


class Sparse:
    """A product with a sparse matrix."""

    def __init__(self, matrix: Float[Tensor, "m n"], device: torch.device) -> None:
        rows, columns = matrix.nonzero(as_tuple=True)
        values = matrix[rows, columns]
        self._entries = _Entries.of(rows, columns, values, matrix.shape[0], device)
        order = columns.argsort(stable=True)
        self._transposed = _Entries.of(columns[order], rows[order], values[order], matrix.shape[1], device)

    def __call__(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "m d"]:
        """The matrix times rows; differentiable in the rows, any number of times."""
        product: Tensor = _SparseProduct.apply(rows, self._entries, self._transposed)
        return product


class Dense:
    """A product with a dense matrix."""

    def __init__(self, matrix: Float[Tensor, "m n"], device: torch.device) -> None:
        self._matrix = matrix.to(device)

    def __call__(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "m d"]:
        """The matrix times rows."""
        return self._matrix.to(rows.dtype) @ rows


RowOperator: TypeAlias = Identity | Sparse | Dense


def operator(matrix: Float[Tensor, "m n"], device: torch.device) -> RowOperator:
    """The cheapest operator that multiplies rows on `device` by a matrix."""
    exact = matrix.detach().double().cpu()
    kept = torch.hardshrink(exact, _ZERO)
    if kept.shape[0] == kept.shape[1] and torch.allclose(kept, torch.eye(len(kept), dtype=kept.dtype), 0, _ZERO):
        return Identity()
    if kept.count_nonzero() < _DENSE * kept.numel():
        return Sparse(kept, device)
    return Dense(kept, device)
