"""Solves the channel-ordering TSP by a portfolio of solvers, with a proven bound.

Local search finds paths, OR-Tools' routing solver finds another, CP-SAT recombines them and, where few edges are left,
proves the best one optimal. Pure, and limited by work rather than time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import permutations

from jobs.spec.effort import EFFORTS, SolverLimits
from workers.ordering.bounds import HeldKarpBound, held_karp_bound
from workers.ordering.exact import exact_path
from workers.ordering.local_search import nearest_neighbour
from workers.ordering.merge import merge_paths
from workers.ordering.path import Matrix, Ordering, checked, described, is_proven, path_length
from workers.ordering.perturbation import iterated_local_search
from workers.ordering.pool import near_optimal_paths
from workers.ordering.routing import guided_local_search

_ENUMERATED = 3  # channels up to which all paths are tried


def solve_path(distances: Matrix, *, seed: int, limits: SolverLimits = EFFORTS["standard"], pool: int = 1) -> Ordering:
    """Order n channels so that neighbours are similar: the shortest open path.

    The same arguments give the same order on any machine with the same versions of NumPy and OR-Tools: every limit
    counts work, and there is one solver thread.

    Args:
        distances: Symmetric distances between channels, n x n, finite, >= 0; need not be a metric.
        seed: Seed of starts, kicks and the solvers.
        limits: Limits of work; see :mod:`jobs.spec.effort`.
        pool: Paths to keep, the best one and others that are nearly as short, at least 1; see
            :mod:`workers.ordering.pool`.

    Returns:
        The best path found, never longer than the identity, in its canonical direction, with a proven bound; others
        if ``pool`` is above 1. The best one does not depend on the pool.

    Raises:
        ValueError: Not such a matrix.
    """
    matrix = checked(distances)
    n, peak = len(matrix), float(matrix.max())
    identity = list(range(n))
    if n <= _ENUMERATED or peak == 0:
        candidates = permutations(identity) if n <= _ENUMERATED else [tuple(identity)]
        best: Sequence[int] = min(candidates, key=lambda path: path_length(matrix, path))
        return described(matrix, best, path_length(matrix, best))
    found, bound, met = _portfolio(matrix / peak, seed, limits)
    best = min(identity, found, key=lambda path: path_length(matrix, path))
    others = near_optimal_paths(matrix, best, met, count=pool - 1, seed=seed)
    return described(matrix, best, bound * peak, others)


def _portfolio(distances: Matrix, seed: int, budget: SolverLimits) -> tuple[list[int], float, list[list[int]]]:
    """A path, a bound, and the paths met on the way; the members stop as soon as the first two meet."""
    n = len(distances)
    starts = _starts(distances, seed, budget.num_starts + 1)
    best = _improved(distances, starts[0], seed, budget)
    length = path_length(distances, best)
    if length <= 0:
        return best, 0.0, []
    one_tree = held_karp_bound(distances, length=length, num_iterations=budget.ascent_iterations)
    best, bound = _prove(distances, best, one_tree, seed, budget, budget.exact_edges // 4)
    if is_proven(path_length(distances, best), bound):
        return best, bound, []
    paths = [best]
    if budget.solutions(n):
        warm = iterated_local_search(distances, starts[-1], seed=seed, num_kicks=0)
        paths.append(guided_local_search(distances, warm, solution_limit=budget.solutions(n)))
    for index, start in enumerate(starts[1:-1], 1):
        paths.append(_improved(distances, start, seed + index, budget))
    merged = _merged(distances, paths, seed, budget)
    best, tighter = _prove(distances, merged, one_tree, seed, budget, budget.exact_edges)
    return best, max(bound, tighter), paths


def _starts(distances: Matrix, seed: int, count: int) -> list[list[int]]:
    """Paths to begin with: nearest neighbour from drawn channels, the first one only if it beats the identity."""
    n = len(distances)
    channels = random.Random(seed).sample(range(n), min(count, n))
    starts = [nearest_neighbour(distances, channel) for channel in channels]
    starts[0] = min(list(range(n)), starts[0], key=lambda path: path_length(distances, path))
    return starts


def _improved(distances: Matrix, start: Sequence[int], seed: int, budget: SolverLimits) -> list[int]:
    return iterated_local_search(distances, start, seed=seed, num_kicks=budget.kicks(len(distances)))


def _merged(distances: Matrix, paths: Sequence[list[int]], seed: int, budget: SolverLimits) -> list[int]:
    """Recombine pair by pair, which is quick, and then all at once from there."""
    share = budget.merge_time / (2 * len(paths))
    best = paths[0]
    for path in paths[1:]:
        best = merge_paths(distances, [best, path], seed=seed, max_deterministic_time=share)
    return merge_paths(distances, [best, *paths], seed=seed, max_deterministic_time=budget.merge_time / 2)


def _prove(
    distances: Matrix, path: list[int], bound: HeldKarpBound, seed: int, budget: SolverLimits, max_edges: int
) -> tuple[list[int], float]:
    """Let CP-SAT finish when few edges are left: a path, and the better of the two bounds."""
    length = path_length(distances, path)
    if length <= 0 or is_proven(length, bound.value):
        return path, min(bound.value, length)
    answer = exact_path(
        distances,
        path,
        bound,
        seed=seed,
        max_deterministic_time=budget.exact_time,
        max_edges=max_edges,
    )
    if answer is None:
        return path, bound.value
    return answer.order, max(bound.value, answer.bound)
