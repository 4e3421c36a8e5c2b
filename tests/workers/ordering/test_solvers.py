"""OR-Tools' members on their own: routing, circuit, exact, merging."""

from itertools import permutations

import numpy as np
import pytest

from workers.ordering.bounds import held_karp_bound
from workers.ordering.circuit import shortest_on_graph
from workers.ordering.exact import exact_path
from workers.ordering.merge import merge_paths
from workers.ordering.path import path_length
from workers.ordering.perturbation import iterated_local_search
from workers.ordering.routing import guided_local_search


def plane(n, seed):
    points = np.random.default_rng(seed).random((n, 2))
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def shortest(matrix):
    return min(path_length(matrix, path) for path in permutations(range(len(matrix))))


@pytest.mark.parametrize("n", [2, 3, 8])
def test_routing_finds_the_shortest_of_few(n):
    matrix = plane(n, n)
    order = guided_local_search(matrix, list(range(n)), solution_limit=60)
    assert path_length(matrix, order) == pytest.approx(shortest(matrix))


def test_routing_stops_where_nothing_can_improve():
    equal = np.ones((6, 6)) - np.eye(6)
    assert path_length(equal, guided_local_search(equal, list(range(6)), solution_limit=1000)) == 5


def test_routing_keeps_a_start_beside_huge_distances():
    # The useless edges are 1e15 times longer than the path: the integers must not overflow.
    matrix = np.full((4, 4), 1e15)
    for i in range(3):
        matrix[i, i + 1] = matrix[i + 1, i] = 1.0
    np.fill_diagonal(matrix, 0)
    assert guided_local_search(matrix, [0, 1, 2, 3], solution_limit=20) == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(4))
def test_exact_proves_what_enumeration_finds(seed):
    matrix, start = plane(8, seed), list(range(8))
    bound = held_karp_bound(matrix, length=path_length(matrix, start), num_iterations=50)
    answer = exact_path(matrix, start, bound, seed=0, max_deterministic_time=5.0, max_edges=1000)
    assert answer.proven
    assert path_length(matrix, answer.order) == pytest.approx(shortest(matrix))
    assert answer.bound == pytest.approx(shortest(matrix), rel=1e-7)
    assert answer.bound <= shortest(matrix)


def test_exact_declines_too_many_edges():
    matrix, start = plane(8, 0), list(range(8))
    bound = held_karp_bound(matrix, length=path_length(matrix, start), num_iterations=5)
    assert exact_path(matrix, start, bound, seed=0, max_deterministic_time=1.0, max_edges=3) is None


def test_circuit_keeps_to_its_graph():
    # Only the ring's edges, ends at 0 and 3: the hint is the one path that there is, though 0 and 2 are closer.
    matrix = np.ones((4, 4)) - np.eye(4)
    matrix[0, 2] = matrix[2, 0] = 0.1
    answer = shortest_on_graph(
        matrix, [(0, 1), (1, 2), (2, 3)], [0, 3], [0, 1, 2, 3], seed=0, max_deterministic_time=1.0
    )
    assert answer.proven
    assert answer.order in ([0, 1, 2, 3], [3, 2, 1, 0])
    assert answer.bound == pytest.approx(3)


def test_merging_takes_the_best_half_of_each_path():
    # One path is right on the left of a line, the other on the right; their union holds the line itself.
    line = np.abs(np.subtract.outer(np.arange(20.0), np.arange(20.0)))
    left = [*range(10), *range(11, 20, 2), *range(18, 9, -2)]
    right = [*range(8, -1, -2), *range(1, 10, 2), *range(10, 20)]
    merged = merge_paths(line, [left, right], seed=0, max_deterministic_time=1.0)
    assert path_length(line, merged) < min(path_length(line, left), path_length(line, right))


def test_merging_is_never_longer_and_loses_no_channel():
    matrix = plane(60, 1)
    rng = np.random.default_rng(0)
    paths = [iterated_local_search(matrix, rng.permutation(60).tolist(), seed=s, num_kicks=0) for s in range(4)]
    merged = merge_paths(matrix, paths, seed=0, max_deterministic_time=1.0)
    assert sorted(merged) == list(range(60))
    assert path_length(matrix, merged) <= min(path_length(matrix, path) for path in paths)


def test_merging_one_path_or_equal_ones_changes_nothing():
    assert merge_paths(plane(5, 0), [[2, 0, 1, 4, 3]] * 2, seed=0, max_deterministic_time=1.0) == [2, 0, 1, 4, 3]
