"""Partitions of [0, 1] into cells, each with a node in its middle: where a channel function is sampled.

n channels are samples at the nodes of the uniform partition into n cells, so that a uniform partition of the same
size gives the channels back. Knows nothing of functions or weights.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def uniform_nodes(size: int, device: torch.device | str = "cpu") -> Float[Tensor, " m"]:
    """The nodes (j + 1/2) / m of the uniform partition into m cells, in double precision."""
    return (torch.arange(size, dtype=torch.float64, device=device) + 0.5) / size


def nodes_from_delta(delta: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The nodes of a trainable partition: ordered and within [0, 1] whatever delta is.

    Cell j has the width delta_j^2 / sum delta^2 (INN, section 3.4); its node lies in its middle.
    """
    widths = delta.square() / delta.square().sum()
    return widths.cumsum(0) - widths / 2
