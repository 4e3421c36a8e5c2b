"""Partitions of [0, 1] into cells, each with a node in its middle: where a channel function is sampled.

n channels are samples at the nodes of the uniform partition into n cells, so that a uniform partition of the same
size reproduces the channels. A partition is given by the widths of its cells.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from workers.integral.agglomeration import agglomerate
from workers.integral.curvature import curvature
from workers.integral.refinement import refined


@runtime_checkable
class Partition(Protocol):
    """Chooses the cells of one channel group without data."""

    def __call__(self, channels: Float[Tensor, "n d"], size: int) -> Float[Tensor, " m"]:
        """Widths of `size` cells that fill [0, 1], in double precision.

        Args:
            channels: All entries that each channel owns, a row per channel, in order.
            size: m, from 1 to n.
        """


def uniform(channels: Float[Tensor, "n d"], size: int) -> Float[Tensor, " m"]:
    """Cells of equal width. See `Partition`."""
    return torch.full((size,), 1 / size, dtype=torch.float64)


def adaptive(channels: Float[Tensor, "n d"], size: int) -> Float[Tensor, " m"]:
    """Cells of whole channels: similar neighbours share one, all others keep a node of their own.

    See `Partition`, and `agglomerate` for how cells are joined.
    """
    return agglomerate(channels).cells(size).double() / len(channels)


PARTITIONS: Mapping[str, Partition] = {
    "adaptive": adaptive,
    "uniform": uniform,
    "curvature": curvature,
    "refined": refined,
}
"""The data-free partitions that a sweep can name."""


def nodes_of(cells: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The nodes of a partition: the middles of its cells, in ascending order within [0, 1]. Differentiable."""
    return cells.cumsum(0) - cells / 2


def cells_of(delta: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The cells of a trainable partition, positive and filling [0, 1] whatever delta is.

    Cell j has the width delta_j^2 / sum delta^2 (INN, section 3.4). Differentiable.
    """
    return delta.square() / delta.square().sum()
