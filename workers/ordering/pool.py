"""A pool of near-optimal paths, to choose from by another measure than length.

The number of searches is bounded, not their time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from workers.ordering.local_search import nearest_neighbour
from workers.ordering.path import Alternative, Matrix, canonical, path_length
from workers.ordering.perturbation import iterated_local_search

_LONGER = 1.02  # times the shortest: the longest near-optimal path
_SEARCHES = 4  # per wanted path, at most


def near_optimal_paths(
    distances: Matrix, best: Sequence[int], met: Iterable[Sequence[int]], *, count: int, seed: int
) -> tuple[Alternative, ...]:
    """Other paths than the best one, at most 1.02 times as long.

    Those that the solver met, and if they are too few, results of local search from nearest-neighbour paths of random
    start channels, with 0, n / 2 and n kicks in turn: many kicks lead to the same path.

    Args:
        distances: Symmetric distances, n x n.
        best: The shortest path known, a permutation of 0..n-1.
        met: Other permutations, of any length.
        count: Number of paths, at least 0.
        seed: Seed of starts and kicks.

    Returns:
        At most ``count`` paths, by ascending length; fewer where 4 x ``count`` searches find no more.
    """
    n, most = len(distances), _LONGER * path_length(distances, best)
    lengths: dict[tuple[int, ...], float] = {}

    def keep(path: Sequence[int]) -> None:
        turned = canonical(path)
        length = path_length(distances, turned)
        if length <= most and turned != canonical(best):
            lengths[turned] = length

    for path in met:
        keep(path)
    rng = random.Random(seed)
    for search in range(_SEARCHES * count):
        if len(lengths) >= count:
            break
        start = nearest_neighbour(distances, rng.randrange(n))
        keep(iterated_local_search(distances, start, seed=seed + search, num_kicks=n * (search % 3) // 2))
    shortest = sorted(lengths, key=lambda path: (lengths[path], path))[:count]
    return tuple(Alternative(order=path, length=lengths[path]) for path in shortest)
