"""Iterated local search: a small double bridge (kick), local repair, and rejection if the path got longer.

The number of kicks is fixed, so the result depends on (distances, start, seed, kicks) alone, not on time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from workers.ordering.local_search import LocalSearch
from workers.ordering.path import Matrix

_LONGEST_SEGMENT = 30  # positions; local kicks have local repairs (Johnson & McGeoch 1997, section 3.3)


def iterated_local_search(
    distances: Matrix, start: Sequence[int], *, seed: int, num_kicks: int, num_neighbours: int = 8
) -> list[int]:
    """Improve a path by 2-opt and Or-opt, then by kicks and repairs.

    Args:
        distances: Symmetric distances, n x n.
        start: The path to begin with.
        seed: Seed of the positions of the kicks.
        num_kicks: Kicks to try.
        num_neighbours: Candidate neighbours per channel.

    Returns:
        A permutation no longer than ``start`` up to rounding.
    """
    n = len(distances)
    search = LocalSearch(distances, start, num_neighbours)
    search.descend(range(n))
    rng = random.Random(seed)
    longest = min(_LONGEST_SEGMENT, n // 2)
    for _ in range(num_kicks if n >= 4 else 0):
        search.journal.clear()
        before = search.length
        first, second = 1 + int(rng.random() * longest), 1 + int(rng.random() * longest)
        i = 1 + int(rng.random() * (n + 1 - first - second))
        kick = search.segment_swap(i, i + first, i + first + second)
        dirty = sorted(search.touched_by(kick))
        search.apply(kick)
        search.descend(dirty)
        if search.length > before:
            search.undo(before)
    return search.order
