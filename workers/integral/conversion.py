"""Converts the tensors of an ordinary network to the coefficients of functions that reproduce them.

The coefficients are the tensors of the same network at another number of channels: those which, resampled to the full
size, come nearest to the network. So `resample` and other functions of networks apply to them. No modules, no data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap
from workers.integral.axes import AxisMap, with_widths
from workers.integral.kernels import CUBIC, Kernel
from workers.integral.partition import nodes_of
from workers.integral.quadrature import Quadrature, midpoint, output_matrix

FitMethod = Literal["least-squares", "descent"]

_ITERATIONS = 400
"""Upper bound for the quasi-Newton method; it usually needs tens."""

_IDENTITY = 1e-9
"""A matrix nearer to the identity than this leaves nothing to fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """The functions of a network.

    Attributes:
        state: Its tensors, with a coefficient where the network has a channel.
        channel_map: Channel groups of the coefficients.
    """

    state: Mapping[str, Tensor]
    channel_map: ChannelMap


def scaled_sizes(channel_map: ChannelMap, scale: float) -> dict[str, int]:
    """Coefficients per group at a scale: that many per channel, at least one.

    Args:
        channel_map: The network's channel groups.
        scale: Coefficients per channel; 1 keeps the network exactly.
    """
    return {group.name: max(1, round(scale * group.width)) for group in channel_map.groups}


def uniform_nodes(size: int) -> Float[Tensor, " m"]:
    """The nodes of the uniform partition into `size` cells, in double precision."""
    return nodes_of(torch.full((size,), 1 / size, dtype=torch.float64))


def fit(
    values: Float[Tensor, "n d"],
    matrix: Float[Tensor, "n k"],
    start: Float[Tensor, "k d"],
    method: FitMethod = "least-squares",
) -> Float[Tensor, "k d"]:
    """The coefficients c for which matrix @ c comes nearest to the values, in the sum of squares.

    Where several do (more coefficients than values), it is the one nearest to `start`, with both methods.

    Args:
        values: Target values of the function at n nodes.
        matrix: From k coefficients to the values at the nodes.
        start: Initial guess.
        method: `least-squares` solves the linear system, `descent` follows the gradient from `start` as the paper does.
    """
    if method == "least-squares":
        correction: Tensor = torch.linalg.lstsq(matrix, values - matrix @ start, driver="gelsy").solution
        return start + correction
    found = start.clone().requires_grad_()
    scale = values.square().sum().clamp_min(1e-300)
    optimizer = torch.optim.LBFGS(
        [found], max_iter=_ITERATIONS, tolerance_grad=1e-12, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        error = (matrix @ found - values).square().sum() / scale
        torch.autograd.backward(error)
        return error

    with torch.enable_grad():
        optimizer.step(loss)
    return found.detach()


def convert(
    state: Mapping[str, Tensor],
    channel_map: ChannelMap,
    *,
    sizes: Mapping[str, int],
    kernel: Kernel = CUBIC,
    quadrature: Quadrature = midpoint,
    method: FitMethod = "least-squares",
) -> Coefficients:
    """The coefficients of a network as an integral network.

    W = A Lambda Q^T is solved for Lambda along one axis after the other, which is the least-squares solution for all
    of them together. Q holds the quadrature's weights, so they are divided out. With as many coefficients as channels
    they are the network's tensors.

    Args:
        state: Tensors of the network, its channels in the order in which they are samples of functions.
        channel_map: Its channel groups.
        sizes: Group name -> number of coefficients. Groups that are not named stay discrete.
        kernel: For the output axes.
        quadrature: For the input axes.
        method: How the coefficients are found; see `fit`.

    Returns:
        The coefficients in the tensors' types and on their devices; tensors without channels of these groups are
        passed through.

    Raises:
        ValueError: A group is unknown, or is to have less than one coefficient.
    """
    coefficients = with_widths(channel_map, sizes)
    changed = {
        index
        for index, group in enumerate(channel_map.groups)
        if group.name in sizes and not _exact(group.width, coefficients.groups[index].width, kernel, quadrature)
    }
    fits = {
        (index, role): partial(_fit_rows, *matrices, method)
        for index in changed
        for role, matrices in _matrices(
            channel_map.groups[index].width, coefficients.groups[index].width, kernel, quadrature
        ).items()
    }
    converted = dict(state)
    for name, layouts in channel_map.tensors.items():
        tensor = state[name]
        for axis, (layout, fitted) in enumerate(zip(layouts, coefficients.tensors[name], strict=True)):
            if changed.intersection(layout.present()):
                axis_map = AxisMap(layout, fitted, frozenset(changed), torch.device("cpu"))
                functions = {index: fits[index, layout.role] for index in axis_map.groups}
                tensor = axis_map(tensor.detach().cpu().double(), axis, functions)
        tensor = tensor.clamp_min(0) if name.endswith("running_var") else tensor
        converted[name] = tensor.to(state[name]).contiguous()
    return Coefficients(state=converted, channel_map=coefficients)


def _exact(width: int, size: int, kernel: Kernel, quadrature: Quadrature) -> bool:
    """Whether the coefficients equal the channels."""
    if size != width:
        return False
    identity = torch.eye(width, dtype=torch.float64)
    nodes = uniform_nodes(width)
    matrices = (output_matrix(nodes, width, quadrature, kernel), quadrature(nodes, width))
    return all(bool((matrix - identity).abs().max() <= _IDENTITY) for matrix in matrices)


def _matrices(
    width: int, size: int, kernel: Kernel, quadrature: Quadrature
) -> dict[str, tuple[Float[Tensor, "n k"], Float[Tensor, "k n"]]]:
    """By role: from coefficients to channels, and (the initial guess) from channels to coefficients."""
    to_channels, to_coefficients = uniform_nodes(width), uniform_nodes(size)
    return {
        "output": (
            output_matrix(to_channels, size, quadrature, kernel),
            output_matrix(to_coefficients, width, quadrature, kernel),
        ),
        "input": (quadrature(to_channels, size), quadrature(to_coefficients, width)),
    }


def _fit_rows(matrix: Tensor, guess: Tensor, method: FitMethod, rows: Tensor) -> Tensor:
    return fit(rows, matrix, guess @ rows, method)
