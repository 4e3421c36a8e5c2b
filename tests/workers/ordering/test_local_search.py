"""Moves: the length kept by deltas is the length recomputed, and undo undoes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.ordering.local_search import LocalSearch, nearest_neighbour, neighbour_lists
from workers.ordering.path import path_length
from workers.ordering.perturbation import iterated_local_search


def random_matrix(n, seed, levels=1000):
    half = np.random.default_rng(seed).integers(0, levels, (n, n)).astype(float)
    matrix = half + half.T
    np.fill_diagonal(matrix, 0)
    return matrix


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 14), seed=st.integers(0, 10**6), k=st.integers(1, 8))
@pytest.mark.parametrize("kind", ["two_opt", "or_opt"])
def test_every_delta_equals_the_recomputed_length(kind, n, seed, k):
    # Integer distances make the sums exact. An earlier tool counted one edge of a 2-opt move twice.
    matrix = random_matrix(n, seed)
    search = LocalSearch(matrix, np.random.default_rng(seed).permutation(n).tolist(), k)
    for channel in [*range(n)] * 3:
        before = search.length
        if (move := getattr(search, kind)(channel)) is not None:
            search.apply(move)
            assert sorted(search.order) == list(range(n))
            assert search.length == path_length(matrix, search.order) < before


@given(n=st.integers(2, 12), seed=st.integers(0, 10**6), data=st.data())
def test_segment_swap_exchanges_two_segments(n, seed, data):
    i, j, k = sorted(data.draw(st.lists(st.integers(1, n + 1), min_size=3, max_size=3, unique=True)))
    matrix, order = random_matrix(n, seed), list(range(n))
    search = LocalSearch(matrix, order)
    search.apply(search.segment_swap(i, j, k))
    assert search.order == order[: i - 1] + order[j - 1 : k - 1] + order[i - 1 : j - 1] + order[k - 1 :]
    assert search.length == path_length(matrix, search.order)
    search.undo(path_length(matrix, order))
    assert search.order == order


def test_two_opt_uncrosses_a_line():
    # 0 2 1 3 on a line is 2 + 1 + 2 = 5 long; reversing the middle gives 3.
    line = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    search = LocalSearch(line, [0, 2, 1, 3])
    gain, reversals = search.two_opt(2)
    assert (gain, reversals) == (2.0, ((2, 3),))


def test_or_opt_carries_a_channel_home():
    # 0 5 1 2 3 4 is 5 + 4 + 3 = 12 long. The first better place found for 5 is between 3 and 4: 3 + 2 + 1 = 6.
    line = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0)))
    search = LocalSearch(line, [0, 5, 1, 2, 3, 4])
    search.apply(search.or_opt(5))
    assert search.order == [0, 1, 2, 3, 5, 4]
    assert search.length == 6
    search.descend([5])
    assert search.order == [0, 1, 2, 3, 4, 5]


def test_neighbours_leave_out_the_channel_itself_even_among_duplicates():
    assert neighbour_lists(np.zeros((3, 3)), 5).tolist() == [[1, 2], [0, 2], [0, 1]]


def test_nearest_neighbour_on_a_line_from_the_middle():
    line = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    assert nearest_neighbour(line, 2) == [2, 1, 0, 3, 4]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 40])
def test_kicks_never_lengthen_a_path(n):
    matrix, start = random_matrix(n, 3), list(range(n))
    order = iterated_local_search(matrix, start, seed=1, num_kicks=200)
    assert sorted(order) == start
    assert path_length(matrix, order) <= path_length(matrix, start)
