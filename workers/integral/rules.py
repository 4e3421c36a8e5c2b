"""Quadrature rules: the weight of every node in a sum that approximates an integral.

A rule is a function of the nodes; `quadrature` applies it to channels.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class QuadratureRule(Protocol):
    """From nodes to weights. Any function of this form can be used in `quadrature.Sampled`."""

    def __call__(self, nodes: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
        """The weights q: the sum of q_i f(x_i) approximates the integral of f. Differentiable in the nodes.

        Args:
            nodes: x, in ascending order within [0, 1], at least one.
        """


def midpoint_rule(nodes: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The widths of the nodes' cells, which meet half-way between nodes and fill [0, 1]. See `QuadratureRule`.

    Weights sum to 1. It is also the trapezoid rule on [0, 1] of a function that is constant beyond its end nodes.
    """
    half_way = (nodes[1:] + nodes[:-1]) / 2
    bounds = torch.cat([torch.zeros_like(nodes[:1]), half_way, torch.ones_like(nodes[:1])])
    return bounds.diff()


def trapezoid_rule(nodes: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The integral of straight lines between the nodes, from the first to the last. See `QuadratureRule`.

    q_i = (x_{i+1} - x_{i-1}) / 2, of which the ends have only their inner half (INN). A single node has
    weight 1.
    """
    if len(nodes) == 1:
        return torch.ones_like(nodes)
    steps = nodes.diff() / 2
    nothing = torch.zeros_like(nodes[:1])
    return torch.cat([steps, nothing]) + torch.cat([nothing, steps])


def simpson_rule(nodes: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The integral of parabolas through three nodes each, from the first node to the last. See `QuadratureRule`.

    Exact for quadratics; with equal steps and an odd number of nodes for cubics. With an even number of nodes the last
    step takes the parabola of the last three. Two nodes are the trapezoid rule, a single one has weight 1.

    Source: the integral of Lagrange's parabola over unequal steps; Cartwright 2017, "Simpson's rule cumulative
    integration with MS Excel and irregularly-spaced data", for the last step.
    """
    size = len(nodes)
    if size < 3:
        return trapezoid_rule(nodes)
    steps = nodes.diff()
    left, right = steps[0 : size - 2 : 2], steps[1 : size - 1 : 2]
    both = left + right
    weights = torch.zeros_like(nodes)
    firsts = torch.arange(0, size - 2, 2, device=nodes.device)
    weights = weights.index_add(0, firsts, both / 6 * (2 - right / left))
    weights = weights.index_add(0, firsts + 1, both**3 / (6 * left * right))
    weights = weights.index_add(0, firsts + 2, both / 6 * (2 - left / right))
    if size % 2 == 1:
        return weights
    before, last = steps[-2], steps[-1]
    end = torch.stack(
        [
            -(last**3) / (6 * before * (before + last)),
            last * (last + 3 * before) / (6 * before),
            last * (2 * last + 3 * before) / (6 * (before + last)),
        ]
    )
    return weights + torch.cat([torch.zeros_like(nodes[:-3]), end])
