"""A data-free partition whose nodes are dense where the channels' functions have high curvature.

Pure: channels are the rows of a matrix, in order.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

_FLOOR = 0.1
"""Minimum density of nodes, as a fraction of the largest, so that straight parts have nodes, too."""

_ROUNDING = 1e-12
"""Second differences below this, relative to the channels, are rounding."""


def curvature(channels: Float[Tensor, "n d"], size: int) -> Float64[Tensor, " m"]:
    """Cells whose density follows the third root of the second derivative. See `partition.Partition`.

    Where a function is integrated with cells of width h, each adds an error like |F''| h^3; the sum is least at a
    given number of cells when all errors are equal, so that the density of cells is |F''|^(1/3). No channel gets more
    than one cell: the excess goes to the others, and at full size every channel has one cell.

    Args:
        channels: All entries that each channel owns, a row per channel, in order. The ends have the curvature of their
            neighbours.
        size: m, from 1 to n.
    """
    wanted = _curvatures(channels.double()).pow(1 / 3)
    return _cells(_cells_per_channel(wanted.clamp_min(_FLOOR * wanted.max()), size), size)


def _curvatures(rows: Float64[Tensor, "n d"]) -> Float64[Tensor, " n"]:
    """Norms of the second differences; all 1 where they are only rounding."""
    inner = rows.diff(dim=0).diff(dim=0).norm(dim=1)
    if len(inner) == 0 or inner.max() <= _ROUNDING * rows.norm(dim=1).max():
        return torch.ones(len(rows), dtype=rows.dtype)
    return torch.cat([inner[:1], inner, inner[-1:]])


def _cells_per_channel(wanted: Float64[Tensor, " n"], size: int) -> Float64[Tensor, " n"]:
    """Cells per channel: they sum to `size`, are proportional to `wanted`, and at most 1."""
    full = torch.zeros_like(wanted, dtype=torch.bool)
    while True:
        density = torch.where(full, 1.0, wanted * (size - full.sum()) / wanted[~full].sum().clamp_min(1e-300))
        more = density > 1
        if not more.any():
            return density
        full |= more


def _cells(density: Float64[Tensor, " n"], size: int) -> Float64[Tensor, " m"]:
    """Widths of the cells that hold a density of 1 each; it is constant within a channel."""
    reached = torch.cat([torch.zeros_like(density[:1]), density.cumsum(0)])
    steps = torch.arange(1, size, dtype=density.dtype)
    channel = (torch.searchsorted(reached, steps, right=True) - 1).clamp(0, len(density) - 1)
    inner = (channel + (steps - reached[channel]) / density[channel]) / len(density)
    bounds = torch.cat([torch.zeros_like(density[:1]), inner, torch.ones_like(density[:1])])
    return bounds.diff()
