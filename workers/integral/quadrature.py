"""Quadrature on the input axis: how the integral over input channels becomes a sum over fewer of them.

A layer computes y = sum_i W_i x_i over n input channels, x_i = x((i + 1/2) / n). Where only the samples x(P_j) at m
nodes are left, a quadrature gives the matrix Q, m x n, with y ~ sum_j (Q W)_j x(P_j). At m = n and a uniform partition
every Q here is the identity, so that a converted network reproduces the original.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from workers.integral.interpolation import interpolation_matrix


@runtime_checkable
class Quadrature(Protocol):
    """From nodes to the matrix that acts on the input axis."""

    def __call__(self, nodes: Float[Tensor, " m"], num_channels: int) -> Float[Tensor, "m n"]:
        """The matrix Q for a partition with these nodes in [0, 1], in rising order."""


def sampling_matrix(nodes: Float[Tensor, " m"], num_channels: int) -> Float[Tensor, "m n"]:
    """The matrix that samples a function of n channels at nodes: the output axis of a layer."""
    return interpolation_matrix(nodes * num_channels - 0.5, num_channels)


def midpoint(nodes: Float[Tensor, " m"], num_channels: int) -> Float[Tensor, "m n"]:
    """Midpoint rule: the weight function is sampled and multiplied by the width of the node's cell.

    Cells meet half-way between nodes and fill [0, 1]; the weights sum to 1, so that mass is conserved.
    """
    half_way = (nodes[1:] + nodes[:-1]) / 2
    bounds = torch.cat([torch.zeros_like(nodes[:1]), half_way, torch.ones_like(nodes[:1])])
    return bounds.diff()[:, None] * num_channels * sampling_matrix(nodes, num_channels)


def product(nodes: Float[Tensor, " m"], num_channels: int) -> Float[Tensor, "m n"]:
    """Product integration: the *input* function is interpolated between the nodes, the weights stay as they are.

    x_i ~ sum_j B_ij x(P_j), so Q = B^T. B interpolates in the partition's own coordinate, in which the nodes are the
    whole numbers; its rows sum to 1, so that the sum of the weights is kept exactly.
    """
    size = len(nodes)
    channels = (torch.arange(num_channels, dtype=nodes.dtype, device=nodes.device) + 0.5) / num_channels
    if size == 1:
        return torch.ones(1, num_channels, dtype=nodes.dtype, device=nodes.device)
    left = (torch.searchsorted(nodes.detach(), channels, right=True) - 1).clamp(0, size - 2)
    fraction = (channels - nodes[left]) / (nodes[left + 1] - nodes[left])
    return interpolation_matrix(left + fraction, size).T


QUADRATURES: Mapping[str, Quadrature] = {"product": product, "midpoint": midpoint}
"""The quadratures that a sweep can name."""
