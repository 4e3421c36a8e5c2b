"""Partitions of [0, 1] into cells, each with a node in its middle: where a channel function is sampled.

n channels are samples at the nodes of the uniform partition into n cells, so that a uniform partition of the same
size gives the channels back. A partition is given by the widths of its cells. Knows nothing of networks.
"""

import heapq
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from workers.integral.curvature import curvature


@runtime_checkable
class Partition(Protocol):
    """Chooses the cells of one channel group without data."""

    def __call__(self, channels: Float[Tensor, "n d"], size: int) -> Float[Tensor, " m"]:
        """Widths of `size` cells that fill [0, 1], in double precision.

        Args:
            channels: Everything that each channel owns, a row per channel, in order.
            size: m, from 1 to n.
        """


def uniform(channels: Float[Tensor, "n d"], size: int) -> Float[Tensor, " m"]:
    """Cells of equal width. See `Partition`."""
    return torch.full((size,), 1 / size, dtype=torch.float64)


def adaptive(channels: Float[Tensor, "n d"], size: int) -> Float[Tensor, " m"]:
    """Cells of whole channels: neighbours share one where they are alike, all others keep a node of their own.

    Starts with one cell per channel and joins, again and again, the two neighbouring cells that add least to the sum of
    squared distances from the cells' means (Ward 1963, restricted to neighbours). See `Partition`.
    """
    n = len(channels)
    cells = _Cells(channels.double())
    queue = [(cells.cost(left, left + 1), left, left + 1) for left in range(n - 1)]
    heapq.heapify(queue)
    joined = 0
    while joined < n - size:
        cost, left, right = heapq.heappop(queue)
        if cells.current(left, right, cost):
            cells.join(left, right)
            joined += 1
            for pair in cells.neighbours(left):
                heapq.heappush(queue, (cells.cost(*pair), *pair))
    return torch.tensor(cells.counts(), dtype=torch.float64) / n


class _Cells:
    """Cells along a path; each is named by its first channel."""

    def __init__(self, channels: Float[Tensor, "n d"]) -> None:
        n = len(channels)
        self._means = list(channels)
        self._counts = [1] * n
        self._next: list[int | None] = [*range(1, n), None]
        self._previous: list[int | None] = [None, *range(n - 1)]

    def cost(self, left: int, right: int) -> float:
        """What joining two cells adds to the sum of squares."""
        a, b = self._counts[left], self._counts[right]
        return a * b / (a + b) * float((self._means[left] - self._means[right]).square().sum())

    def current(self, left: int, right: int, cost: float) -> bool:
        """Whether a queued pair still stands as it was queued."""
        return self._counts[left] > 0 and self._next[left] == right and self.cost(left, right) == cost

    def join(self, left: int, right: int) -> None:
        """Put the right cell into the left one."""
        a, b = self._counts[left], self._counts[right]
        self._means[left] = (a * self._means[left] + b * self._means[right]) / (a + b)
        self._counts[left], self._counts[right] = a + b, 0
        after = self._next[left] = self._next[right]
        if after is not None:
            self._previous[after] = left

    def neighbours(self, cell: int) -> list[tuple[int, int]]:
        """The pairs that a cell forms with the cells beside it."""
        before, after = self._previous[cell], self._next[cell]
        return [*([(before, cell)] if before is not None else []), *([(cell, after)] if after is not None else [])]

    def counts(self) -> list[int]:
        """Channels per cell, in order."""
        return [count for count in self._counts if count]


PARTITIONS: Mapping[str, Partition] = {
    "adaptive": adaptive,
    "uniform": uniform,
    "curvature": curvature,
}
"""The data-free partitions that a sweep can name."""


def nodes_of(cells: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The nodes of a partition: the middles of its cells, in rising order within [0, 1]. Differentiable."""
    return cells.cumsum(0) - cells / 2


def cells_of(delta: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The cells of a trainable partition, positive and filling [0, 1] whatever delta is.

    Cell j has the width delta_j^2 / sum delta^2 (INN, section 3.4). Differentiable.
    """
    return delta.square() / delta.square().sum()
