"""Quadrature on the input axis: how the integral over input channels becomes a sum over fewer of them.

A layer computes y = sum_i W_i x_i over n input channels, x_i = x((i + 1/2) / n). Where only the samples x(P_j) at m
nodes are left, a quadrature gives the matrix Q, m x n, with y ~ sum_j (Q W)_j x(P_j). At m = n and a uniform partition
every Q here is the identity, so that a converted network reproduces the original.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from workers.integral.averages import CellMeans
from workers.integral.interpolation import interpolation_matrix
from workers.integral.kernels import CUBIC, Kernel
from workers.integral.rules import QuadratureRule, midpoint_rule, simpson_rule, trapezoid_rule


@runtime_checkable
class Quadrature(Protocol):
    """From nodes to the matrix that acts on the input axis."""

    def __call__(self, nodes: Float[Tensor, " m"], num_channels: int) -> Float[Tensor, "m n"]:
        """The matrix Q for a partition with these nodes in [0, 1], in ascending order."""


def sampling_matrix(nodes: Float[Tensor, " m"], num_channels: int, kernel: Kernel = CUBIC) -> Float[Tensor, "m n"]:
    """The matrix that samples a function of n channels at nodes: the output axis of a layer."""
    return interpolation_matrix(nodes * num_channels - 0.5, num_channels, kernel)


def output_matrix(
    nodes: Float[Tensor, " m"], num_channels: int, quadrature: Quadrature, kernel: Kernel = CUBIC
) -> Float[Tensor, "m n"]:
    """The matrix for the output axis that goes with a quadrature: its own where it has one, else that of a kernel."""
    if isinstance(quadrature, CellMeans):
        return quadrature.sampling(nodes, num_channels)
    return sampling_matrix(nodes, num_channels, kernel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """The weight function is sampled at the nodes and multiplied by a rule's weights. See `Quadrature`.

    Attributes:
        rule: From nodes to quadrature weights.
        kernel: Kernel of the weight function.
        balanced: The weight function is the channels' weights divided by the rule's weights for n channels, so that Q
            is the identity at full size for rules whose weights are not all 1 / n. It distorts the function where these
            differ: a trapezoid's ends are doubled.
    """

    rule: QuadratureRule
    kernel: Kernel = CUBIC
    balanced: bool = False

    def __call__(self, nodes: Float[Tensor, " m"], num_channels: int) -> Float[Tensor, "m n"]:
        """The matrix Q = diag(n q) A, and divided by diag(n q) of the full size where the rule is balanced."""
        matrix = self.rule(nodes)[:, None] * num_channels * sampling_matrix(nodes, num_channels, self.kernel)
        if not self.balanced:
            return matrix
        channels = (torch.arange(num_channels, dtype=nodes.dtype, device=nodes.device) + 0.5) / num_channels
        return matrix / (num_channels * self.rule(channels))


def product(nodes: Float[Tensor, " m"], num_channels: int) -> Float[Tensor, "m n"]:
    """Product integration: the *input* function is interpolated between the nodes, the weights are not.

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


midpoint = Sampled(rule=midpoint_rule)
"""The midpoint rule; cells fill [0, 1], so that mass is conserved."""

trapezoid = Sampled(rule=trapezoid_rule, balanced=True)
"""The trapezoid rule of the paper, with the ends divided by their half weights."""

simpson = Sampled(rule=simpson_rule, balanced=True)
"""Simpson's rule, with every channel divided by its weight, which alternate between 2/3 and 4/3."""

means = CellMeans()
"""The channels' mean over each cell, and the sum of their weights."""

QUADRATURES: Mapping[str, Quadrature] = {
    "product": product,
    "midpoint": midpoint,
    "trapezoid": trapezoid,
    "simpson": simpson,
    "means": means,
}
"""The quadratures that a sweep can name."""
