"""Agglomerative clustering of neighbouring channels into cells, with its error.

Pure: channels are the rows of a matrix, in order.
"""

import heapq
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Agglomeration:
    """The sequence of joins from n cells of one channel each to a single cell.

    Attributes:
        joins: The k-th join merges the cell that begins with channel `joins[k]` into the cell before it.
        errors: Sum of squared distances of all channels from the means of their cells, after k joins.
    """

    joins: Int64[Tensor, " joins"]
    errors: Float[Tensor, " n"]

    def cells(self, size: int) -> Int64[Tensor, " size"]:
        """Channels per cell, in order, where `size` cells are left (1 .. n)."""
        n = len(self.errors)
        begins = torch.ones(n + 1, dtype=torch.bool)
        begins[self.joins[: n - size]] = False
        return begins.nonzero()[:, 0].diff()


def agglomerate(channels: Float[Tensor, "n d"]) -> Agglomeration:
    """Repeatedly join the two neighbouring cells that increase the error least.

    Ward 1963, restricted to neighbours.

    Args:
        channels: All entries that each channel owns, a row per channel, in order.
    """
    n = len(channels)
    cells = _Cells(channels.double())
    queue = [(cells.cost(left, left + 1), left, left + 1) for left in range(n - 1)]
    heapq.heapify(queue)
    joins: list[int] = []
    costs = [0.0]
    while len(joins) < n - 1:
        cost, left, right = heapq.heappop(queue)
        if cells.current(left, right, cost):
            cells.join(left, right)
            joins.append(right)
            costs.append(cost)
            for pair in cells.neighbours(left):
                heapq.heappush(queue, (cells.cost(*pair), *pair))
    return Agglomeration(
        joins=torch.tensor(joins, dtype=torch.int64), errors=torch.tensor(costs, dtype=torch.float64).cumsum(0)
    )


class _Cells:
    """Cells along a path; each is named by its first channel."""

    def __init__(self, channels: Float[Tensor, "n d"]) -> None:
        n = len(channels)
        self._means = list(channels)
        self._counts = [1] * n
        self._next: list[int | None] = [*range(1, n), None]
        self._previous: list[int | None] = [None, *range(n - 1)]

    def cost(self, left: int, right: int) -> float:
        """Increase of the sum of squares when two cells are joined."""
        a, b = self._counts[left], self._counts[right]
        return a * b / (a + b) * float((self._means[left] - self._means[right]).square().sum())

    def current(self, left: int, right: int, cost: float) -> bool:
        """Whether a queued pair and its cost are still up to date."""
        return self._counts[left] > 0 and self._next[left] == right and self.cost(left, right) == cost

    def join(self, left: int, right: int) -> None:
        """Merge the right cell into the left one."""
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
