"""Pools: different paths, none much longer than the shortest, the same ones every time."""

import numpy as np
import pytest

from jobs.spec.effort import EFFORTS
from workers.ordering import path_length, solve_path
from workers.ordering.pool import near_optimal_paths


def space(n, seed):
    points = np.random.default_rng(seed).random((n, 6))
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


@pytest.mark.parametrize("n", [16, 60])
def test_a_pool_holds_different_paths_of_nearly_the_same_length(n):
    matrix = space(n, n)
    found = solve_path(matrix, seed=0, limits=EFFORTS["fast"], pool=5)
    lengths = [each.length for each in found.alternatives]
    assert 1 <= len(lengths) <= 4
    assert lengths == sorted(lengths)
    assert found.length <= lengths[0]
    assert lengths[-1] <= 1.02 * found.length
    assert len({found.order, *(each.order for each in found.alternatives)}) == 1 + len(lengths)
    for each in found.alternatives:
        assert sorted(each.order) == list(range(n))
        assert each.order[0] < each.order[-1]
        assert each.length == path_length(matrix, each.order)


def test_the_best_path_does_not_depend_on_the_pool():
    matrix = space(40, 1)
    alone, with_others = (solve_path(matrix, seed=3, limits=EFFORTS["fast"], pool=pool) for pool in (1, 6))
    assert alone.alternatives == ()
    assert (alone.order, alone.lower_bound) == (with_others.order, with_others.lower_bound)
    assert solve_path(matrix, seed=3, limits=EFFORTS["fast"], pool=6) == with_others


def test_paths_that_were_met_come_first_and_long_ones_not_at_all():
    # On a line 0 1 2 3 is 3 long, and any other path is at least 4: not within 1.02 times.
    line = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    assert near_optimal_paths(line, [0, 1, 2, 3], [[1, 0, 2, 3], [3, 2, 1, 0]], count=3, seed=0) == ()
    equal = np.ones((4, 4)) - np.eye(4)  # every path is 3 long
    [other] = near_optimal_paths(equal, [0, 1, 2, 3], [[3, 1, 2, 0]], count=1, seed=0)
    assert (other.order, other.length) == ((0, 2, 1, 3), 3)


def test_a_line_has_one_path_and_the_search_ends():
    places = np.random.default_rng(0).permutation(12)
    assert solve_path(np.abs(np.subtract.outer(places, places)).astype(float), seed=0, pool=8).alternatives == ()
