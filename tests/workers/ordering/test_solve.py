"""The portfolio: known answers, never worse than the identity, the same answer every time."""

import subprocess
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.spec.effort import EFFORTS
from workers.ordering import path_length, solve_path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import numpy as np
from jobs.spec.effort import EFFORTS
from workers.ordering import solve_path
points = np.random.default_rng(7).random((70, 3))
matrix = np.linalg.norm(points[:, None] - points[None], axis=-1)
print(*solve_path(matrix, seed=3, limits=EFFORTS["fast"]).order)
"""


def euclidean(points):
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def random_matrix(n, seed, kind):
    rng = np.random.default_rng(seed)
    half = rng.integers(0, 3, (n, n)).astype(float) if kind == "ties" else rng.random((n, n)) ** 5
    matrix = half + half.T
    np.fill_diagonal(matrix, 0)
    return matrix


@pytest.mark.parametrize("effort", ["fast", "standard", "thorough"])
@pytest.mark.parametrize("kind", ["ties", "skewed"])
@pytest.mark.parametrize("n", range(1, 9))
def test_few_channels_are_solved_to_proof(n, kind, effort):
    matrix = random_matrix(n, 10 * n, kind)
    shortest = min(path_length(matrix, path) for path in permutations(range(n)))
    found = solve_path(matrix, seed=0, limits=EFFORTS[effort])
    assert found.length == pytest.approx(shortest, rel=1e-7)
    assert found.status == "optimal"
    assert found.gap <= 2e-8


@pytest.mark.parametrize("kind", ["ties", "skewed"])
def test_nine_channels_are_solved_to_proof(kind):
    matrix = random_matrix(9, 9, kind)
    paths = np.array(list(permutations(range(9))))
    found = solve_path(matrix, seed=0, limits=EFFORTS["standard"])
    assert found.length == pytest.approx(matrix[paths[:, :-1], paths[:, 1:]].sum(1).min(), rel=1e-7)
    assert found.status == "optimal"


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 24), seed=st.integers(0, 10**6), kind=st.sampled_from(["ties", "skewed"]))
def test_a_permutation_never_worse_than_the_identity(n, seed, kind):
    matrix = random_matrix(n, seed, kind)
    found = solve_path(matrix, seed=seed, limits=EFFORTS["fast"])
    assert sorted(found.order) == list(range(n))
    assert found.order[0] <= found.order[-1]
    assert found.identity_length == path_length(matrix, range(n))
    assert 0 <= found.lower_bound <= found.length <= found.identity_length
    assert found.length == path_length(matrix, found.order)


@pytest.mark.parametrize("effort", ["fast", "standard"])
def test_shuffled_line(effort):
    places = np.random.default_rng(0).permutation(100)
    found = solve_path(np.abs(np.subtract.outer(places, places)).astype(float), seed=0, limits=EFFORTS[effort])
    assert found.length == 99  # from one end to the other
    assert found.status == "optimal"
    assert places[list(found.order)].tolist() in (list(range(100)), list(range(99, -1, -1)))


def test_circle():
    angles = 2 * np.pi * np.random.default_rng(1).permutation(40) / 40
    matrix = euclidean(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    found = solve_path(matrix, seed=0, limits=EFFORTS["standard"])
    assert found.length == pytest.approx(39 * 2 * np.sin(np.pi / 40))  # 39 of 40 equal chords
    assert found.status == "optimal"


def test_two_clusters_are_left_only_once():
    rng = np.random.default_rng(2)
    cluster = rng.permutation(30) % 2
    found = solve_path(euclidean(rng.random((30, 2)) + 100 * cluster[:, None]), seed=0, limits=EFFORTS["fast"])
    assert np.abs(np.diff(cluster[list(found.order)])).sum() == 1


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-200, 1e200])
@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_all_equal(n, value):
    found = solve_path(value * (np.ones((n, n)) - np.eye(n)), seed=0, limits=EFFORTS["standard"])
    assert found.order == tuple(range(n))  # nothing to gain: the channels stay where they are
    assert found.length == pytest.approx((n - 1) * value)
    assert found.status == "optimal"


def test_clusters_on_a_line_are_visited_one_after_the_other():
    # Three times five channels at 0, 10 and 30, all alike within a cluster: 30 from end to end.
    places = np.repeat([0.0, 10.0, 30.0], 5)[np.random.default_rng(6).permutation(15)]
    found = solve_path(np.abs(np.subtract.outer(places, places)), seed=0, limits=EFFORTS["fast"])
    assert (found.length, found.status) == (30, "optimal")


def test_a_line_that_misleads_nearest_neighbours():
    # 0, 1, -2, 4, -8, .. from 0 the nearest is always on the other side: 1 + 3 + 6 + 12 + ..; the best is the line.
    places = np.array([0.0, *((-2.0) ** k * -1 for k in range(10))])
    found = solve_path(np.abs(np.subtract.outer(places, places)), seed=0, limits=EFFORTS["fast"])
    assert found.length == np.ptp(places)
    assert found.status == "optimal"


def test_the_corners_of_a_cube_in_a_gray_code():
    # 16 corners, distance in bits: a path of 15 steps of one bit each exists, by symmetry in many ways.
    corners = np.random.default_rng(9).permutation(16)
    bits = (corners[:, None] >> np.arange(4)) & 1
    found = solve_path(np.abs(bits[:, None] - bits[None]).sum(2).astype(float), seed=0, limits=EFFORTS["fast"])
    assert (found.length, found.status) == (15, "optimal")


def test_a_star():
    # Nine leaves at 1 from the hub and 2 from each other: two steps through the hub, seven from leaf to leaf.
    matrix = 2 * (np.ones((10, 10)) - np.eye(10))
    matrix[4] = matrix[:, 4] = np.arange(10) != 4
    found = solve_path(matrix, seed=0, limits=EFFORTS["fast"])
    assert (found.length, found.status) == (2 * 1 + 7 * 2, "optimal")


def test_duplicates_lie_together():
    places = np.repeat(np.arange(5.0), 4)[np.random.default_rng(3).permutation(20)]
    found = solve_path(np.abs(np.subtract.outer(places, places)), seed=0, limits=EFFORTS["fast"])
    assert found.length == 4
    assert found.status == "optimal"


def test_length_does_not_depend_on_the_channels_names():
    matrix = euclidean(np.random.default_rng(4).random((20, 3)))
    names = np.random.default_rng(5).permutation(20)
    renamed = matrix[names][:, names]
    assert solve_path(renamed, seed=0).length == pytest.approx(solve_path(matrix, seed=0).length)


@pytest.mark.parametrize(("n", "effort"), [(70, "fast"), (60, "standard")])
def test_the_same_call_gives_the_same_answer(n, effort):
    matrix = euclidean(np.random.default_rng(n).random((n, 4)))
    assert solve_path(matrix, seed=3, limits=EFFORTS[effort]) == solve_path(matrix, seed=3, limits=EFFORTS[effort])


def test_a_fresh_process_gives_the_same_order():
    def fresh():
        return subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)

    matrix = euclidean(np.random.default_rng(7).random((70, 3)))
    assert fresh().stdout.split() == [str(i) for i in solve_path(matrix, seed=3, limits=EFFORTS["fast"]).order]


def test_the_given_matrix_is_left_alone():
    matrix = euclidean(np.random.default_rng(8).random((12, 3)))
    before = matrix.copy()
    solve_path(matrix, seed=0, limits=EFFORTS["fast"])
    assert (matrix == before).all()


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((2, 3)), "shape"),
        (np.zeros((0, 0)), "shape"),
        (np.array([[0.0, -1.0], [-1.0, 0.0]]), "negative"),
        (np.array([[0.0, np.nan], [np.nan, 0.0]]), "NaN"),
        (np.array([[0.0, 1.0], [2.0, 0.0]]), "mirror"),
    ],
)
def test_what_is_no_distance_matrix_is_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        solve_path(matrix, seed=0)
