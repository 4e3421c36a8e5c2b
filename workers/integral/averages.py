"""Averages over cells: the mean of a group's channels over each cell in the place of one interpolated value.

The channels are taken as a function that is constant on each channel's own cell of width 1 / n. A cell of whole
channels then gives their plain mean, and layers that read them the sum of their weights; a cell that cuts a channel
takes a part of it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class CellMeans:
    """A quadrature that comes with a sampling of its own. See `Quadrature`."""

    def __call__(self, nodes: Float[Tensor, " m"], num_channels: int) -> Float[Tensor, "m n"]:
        """The matrix Q that adds up the weights of the channels in each cell; its columns sum to 1.

        Args:
            nodes: Middles of cells that fill [0, 1], in ascending order. Differentiable.
            num_channels: n.
        """
        return num_channels * _overlaps(nodes, num_channels)

    def sampling(self, nodes: Float[Tensor, " m"], num_channels: int) -> Float[Tensor, "m n"]:
        """The matrix that averages n channels over each cell: the output axis of a layer; its rows sum to 1.

        Args:
            nodes: As above.
            num_channels: n.
        """
        overlaps = _overlaps(nodes, num_channels)
        return overlaps / overlaps.sum(1, keepdim=True)


def _overlaps(nodes: Float[Tensor, " m"], num_channels: int) -> Float[Tensor, "m n"]:
    """The width that each cell shares with each channel."""
    size = len(nodes)
    signs = (-1.0) ** torch.arange(size, dtype=nodes.dtype, device=nodes.device)
    # A node lies in the middle of its cell, so each border mirrors the one before it: b_k+1 = 2 x_k - b_k.
    ends = 2 * signs * (signs * nodes).cumsum(0)
    begins = torch.cat([torch.zeros_like(nodes[:1]), ends[:-1]])
    channels = torch.arange(num_channels, dtype=nodes.dtype, device=nodes.device) / num_channels
    above = torch.maximum(begins[:, None], channels)
    below = torch.minimum(ends[:, None], channels + 1 / num_channels)
    return (below - above).clamp_min(0)
