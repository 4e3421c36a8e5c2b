"""Lower bounds: below every path, and no edge of a shortest path is ruled out."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.ordering.bounds import held_karp_bound, useful_edges
from workers.ordering.path import path_length


def random_matrix(n, seed, power):
    half = np.random.default_rng(seed).random((n, n)) ** power
    matrix = half + half.T
    np.fill_diagonal(matrix, 0)
    return matrix


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 7), seed=st.integers(0, 10**6), power=st.sampled_from([0, 1, 9]), steps=st.integers(1, 60))
def test_bound_and_edges_agree_with_enumeration(n, seed, power, steps):
    matrix = random_matrix(n, seed, power)
    paths = list(permutations(range(n)))
    best = min(paths, key=lambda path: path_length(matrix, path))
    shortest = path_length(matrix, best)
    known = path_length(matrix, range(n))
    bound = held_karp_bound(matrix, length=known, num_iterations=steps)
    assert bound.value <= shortest
    useful = useful_edges(matrix, bound, length=known)
    assert (useful == useful.T).all()
    for path in paths:
        if path_length(matrix, path) <= known:
            assert all(useful[a, b] for a, b in pairwise(path))


def test_the_bound_is_sharp_on_a_line():
    # The spanning tree of points on a line is the path itself, 9 long.
    line = np.abs(np.subtract.outer(np.arange(10.0), np.arange(10.0)))
    assert held_karp_bound(line, length=20.0, num_iterations=1).value == pytest.approx(9, rel=1e-8)


def test_ascent_beats_the_spanning_tree():
    # A star: the tree is 4 long; a path must pass the centre once: 1 + 1 + 2 + 2.
    star = np.full((5, 5), 2.0)
    star[0, :] = star[:, 0] = 1.0
    np.fill_diagonal(star, 0)
    assert held_karp_bound(star, length=6.0, num_iterations=1).value == pytest.approx(4, rel=1e-8)
    assert held_karp_bound(star, length=6.0, num_iterations=200).value == pytest.approx(6, rel=1e-2)
