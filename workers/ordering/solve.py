"""The channel-ordering TSP: a portfolio that ends with the best of its members and a proven bound.

Local search finds paths, OR-Tools' routing solver finds another, CP-SAT recombines them and, where few edges are left,
proves the best one shortest. This module refuses to know what a channel is, and time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import permutations

from workers.ordering.bounds import HeldKarpBound, held_karp_bound
from workers.ordering.effort import Effort, Limits, limits
from workers.ordering.exact import exact_path
from workers.ordering.local_search import nearest_neighbour
from workers.ordering.merge import merge_paths
from workers.ordering.path import Matrix, Ordering, canonical, checked, path_length
from workers.ordering.perturbation import iterated_local_search
from workers.ordering.routing import guided_local_search

_PROVEN = 2e-8  # relative gap that rounding alone leaves
_ENUMERATED = 3  # channels up to which all paths are tried


def solve_path(distances: Matrix, *, seed: int, effort: Effort = "standard") -> Ordering:
    """Order n channels so that neighbours are alike: the shortest open path.

    The same arguments give the same order on any machine with the same versions of NumPy and OR-Tools: every limit
    counts work, and there is one solver thread.

    Args:
        distances: Symmetric distances between channels, n x n, finite, >= 0; need not be a metric.
        seed: Draws starts and kicks, and seeds the solver.
        effort: How much work; see :mod:`workers.ordering.effort`.

    Returns:
        The best path found, never longer than the identity, in its canonical direction, with a proven bound.

    Raises:
        ValueError: Not such a matrix, or an effort that is not known.
    """
    budget, matrix = limits(effort), checked(distances)
    n, peak = len(matrix), float(matrix.max())
    identity = list(range(n))
    if n <= _ENUMERATED or peak == 0:
        candidates = permutations(identity) if n <= _ENUMERATED else [tuple(identity)]
        best: Sequence[int] = min(candidates, key=lambda path: path_length(matrix, path))
        return _ordering(matrix, best, path_length(matrix, best))
    best, bound = _portfolio(matrix / peak, seed, budget)
    best = min(identity, best, key=lambda path: path_length(matrix, path))
    return _ordering(matrix, best, bound * peak)


def _ordering(distances: Matrix, order: Sequence[int], bound: float) -> Ordering:
    """The record of an order, with what is proven about it."""
    final = canonical(order)
    length = path_length(distances, final)
    lower_bound = min(bound, length)
    return Ordering(
        order=final,
        length=length,
        identity_length=path_length(distances, range(len(distances))),
        lower_bound=lower_bound,
        status="optimal" if length - lower_bound <= _PROVEN * length else "feasible",
    )


def _portfolio(distances: Matrix, seed: int, budget: Limits) -> tuple[list[int], float]:
    """A path and a bound; the members stop as soon as the two meet."""
    n = len(distances)
    starts = _starts(distances, seed, budget.num_starts + 1)
    best = _improved(distances, starts[0], seed, budget)
    best, held_karp, bound = _prove(distances, best, seed, budget)
    if path_length(distances, best) - bound <= _PROVEN * path_length(distances, best):
        return best, bound
    paths = [best]
    if budget.solutions(n):
        warm = iterated_local_search(distances, starts[-1], seed=seed, num_kicks=0)
        paths.append(guided_local_search(distances, warm, solution_limit=budget.solutions(n)))
    for index, start in enumerate(starts[1:-1], 1):
        paths.append(_improved(distances, start, seed + index, budget))
    merged = _merged(distances, paths, seed, budget)
    if path_length(distances, merged) < path_length(distances, best):
        best, _, tighter = _prove(distances, merged, seed, budget, held_karp)
        bound = max(bound, tighter)
    return best, bound


def _starts(distances: Matrix, seed: int, count: int) -> list[list[int]]:
    """Paths to begin with: nearest neighbour from drawn channels, the first one only if it beats the identity."""
    n = len(distances)
    channels = random.Random(seed).sample(range(n), min(count, n))
    starts = [nearest_neighbour(distances, channel) for channel in channels]
    starts[0] = min(list(range(n)), starts[0], key=lambda path: path_length(distances, path))
    return starts


def _improved(distances: Matrix, start: Sequence[int], seed: int, budget: Limits) -> list[int]:
    return iterated_local_search(distances, start, seed=seed, num_kicks=budget.kicks(len(distances)))


def _merged(distances: Matrix, paths: Sequence[list[int]], seed: int, budget: Limits) -> list[int]:
    """Recombine pair by pair, which is quick, and then all at once from there."""
    share = budget.merge_time / (2 * len(paths))
    best = paths[0]
    for path in paths[1:]:
        best = merge_paths(distances, [best, path], seed=seed, max_deterministic_time=share)
    return merge_paths(distances, [best, *paths], seed=seed, max_deterministic_time=budget.merge_time / 2)


def _prove(
    distances: Matrix, path: list[int], seed: int, budget: Limits, known: HeldKarpBound | None = None
) -> tuple[list[int], HeldKarpBound, float]:
    """Bound all paths, and let CP-SAT finish when few edges are left: path, 1-tree bound, best bound."""
    length = path_length(distances, path)
    if length <= 0:
        return path, known or HeldKarpBound(value=0.0, prices=distances[0]), 0.0
    bound = known or held_karp_bound(distances, length=length, num_iterations=budget.ascent_iterations)
    if length - bound.value <= _PROVEN * length:
        return path, bound, bound.value
    answer = exact_path(
        distances,
        path,
        bound,
        seed=seed,
        max_deterministic_time=budget.exact_time,
        max_edges=max(budget.exact_edges_per_channel * len(distances), _ALWAYS_EDGES),
    )
    if answer is None:
        return path, bound, bound.value
    return answer.order, bound, max(bound.value, answer.bound)


_ALWAYS_EDGES = 300  # so few edges are always worth a proof: 24 channels with all their pairs
