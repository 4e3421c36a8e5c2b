"""A partition by adaptive quadrature: cells are halved where two rules of different order disagree most."""

import heapq
from itertools import count

import torch
from jaxtyping import Float
from torch import Tensor

from workers.integral.quadrature import sampling_matrix


def refined(channels: Float[Tensor, "n d"], size: int) -> Float[Tensor, " m"]:
    """Cells of whole channels, halved where the estimated error of integration is largest. See `Partition`.

    The estimate is that of adaptive quadrature (Davis and Rabinowitz 1984, "Methods of Numerical Integration"): the
    difference between two rules of different order on the same cell, here midpoint and Simpson, as a norm over all
    entries. A cell of a single channel is exact. Of equal errors the cell that was made first is halved.

    Args:
        channels: All entries that each channel owns, a row per channel, in order.
        size: m, from 1 to n.
    """
    total, numbers = len(channels), count()
    rows = channels.detach().double()

    def entry(begin: int, end: int) -> tuple[float, int, int, int]:
        """For the heap: the cell with the largest error first, cells of one channel last."""
        error = _disagreement(rows, begin, end) if end - begin > 1 else -1.0
        return -error, next(numbers), begin, end

    heap = [entry(0, total)]
    while len(heap) < size:
        *_, begin, end = heapq.heappop(heap)
        middle = (begin + end) // 2
        heapq.heappush(heap, entry(begin, middle))
        heapq.heappush(heap, entry(middle, end))
    cells = sorted((begin, end) for *_, begin, end in heap)
    return torch.tensor([end - begin for begin, end in cells], dtype=torch.float64) / total


def _disagreement(rows: Float[Tensor, "n d"], begin: int, end: int) -> float:
    """Norm of the difference between Simpson's and the midpoint rule on the channels begin to end."""
    places = torch.tensor([begin, (begin + end) / 2, end], dtype=rows.dtype, device=rows.device) / len(rows)
    left, middle, right = sampling_matrix(places, len(rows)) @ rows
    return float((left - 2 * middle + right).norm()) * (end - begin) / 6
