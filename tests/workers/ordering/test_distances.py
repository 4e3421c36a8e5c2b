"""Distances between channels: the blockwise sum against the plain one, and refused inputs."""

import numpy as np
import pytest
import torch

from workers.ordering import pairwise_distances


def slices(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize(("metric", "p"), [("l1", 1), ("l2", 2)])
@pytest.mark.parametrize("n", [1, 2, 10, 150])  # 150: three blocks of rows, the last one short
def test_blocks_agree_with_the_naive_sum(metric, p, n):
    given = slices((n, 7), (n, 3, 3, 3), (n, 600), (n, 1), (n,), (n, 0))  # 600: two blocks of columns
    naive = sum(
        np.linalg.norm(rows[:, None] - rows[None], ord=p, axis=-1)
        for rows in (s.double().reshape(n, s[0].numel()).numpy() for s in given)
    )
    assert np.allclose(pairwise_distances(given, metric=metric), naive, rtol=1e-5, atol=1e-6)


def test_cosine_is_that_of_all_a_channel_owns():
    given = slices((70, 7), (70, 600))
    rows = torch.cat(given, dim=1).double().numpy()
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.allclose(pairwise_distances(given, metric="cosine"), 1 - rows @ rows.T, atol=1e-6)


@pytest.mark.parametrize("normalize", ["none", "tensor"])
@pytest.mark.parametrize("metric", ["l1", "l2", "cosine"])
def test_dead_channels_and_duplicates_are_at_finite_distances(metric, normalize):
    rows = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [3.0, 4.0]])
    distances = pairwise_distances([rows, torch.zeros(4, 3)], metric=metric, normalize=normalize)
    assert distances[0, 2] == distances[1, 3] == 0
    assert distances[0, 1] == distances[2, 3] > 0


def test_a_dead_channel_is_at_cosine_distance_one():
    # As far as a channel at a right angle: 1 - 0.
    distances = pairwise_distances([torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 2.0]])], metric="cosine")
    assert distances == pytest.approx(np.ones((3, 3)) - np.eye(3))


# The first two channels differ by 2 in the first slice and by 1 in the second. l1 divides the slices by the sums 8 and
# 2 of their absolute values, l2 by their norms sqrt(24) and sqrt(2).
@pytest.mark.parametrize(("metric", "expected"), [("l1", 2 / 8 + 1 / 2), ("l2", 2 / 24**0.5 + 1 / 2**0.5)])
def test_normalised_slices_count_the_same_whatever_their_scale(metric, expected):
    small, other = torch.tensor([[2.0], [4.0], [2.0], [0.0]]), torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    found = pairwise_distances([small, other], metric=metric, normalize="tensor")
    assert found == pytest.approx(pairwise_distances([1000 * small, other], metric=metric, normalize="tensor"))
    assert found[0, 1] == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["l1", "l2", "cosine"])
def test_symmetric_with_a_zero_diagonal_to_the_last_bit(metric):
    distances = pairwise_distances(slices((140, 500)), metric=metric)
    assert distances.dtype == np.float64
    assert (distances == distances.T).all()
    assert (np.diag(distances) == 0).all()


def test_nearly_equal_rows_do_not_cancel():
    # |a - b| = 2e-3 beside |a| = 2000: by scalar products float32 would answer 0 or about 1.
    row = torch.full((1, 4), 1000.0)
    assert pairwise_distances([torch.cat([row, row + 1e-3])], metric="l2")[0, 1] == pytest.approx(2e-3, rel=0.05)


def test_slices_without_columns_are_at_distance_zero():
    assert (pairwise_distances([torch.zeros(3, 0)]) == 0).all()


def test_values_that_are_not_finite_are_named():
    bad = torch.ones(4, 2)
    bad[1, 1], bad[2, 0] = float("nan"), float("inf")
    with pytest.raises(ValueError, match=r"slices\[1\]: 2 of 8 values are not finite"):
        pairwise_distances([torch.ones(4, 1), bad])


def test_all_faults_come_at_once():
    with pytest.raises(ValueError, match=r"(?s)2 problems.*slices\[1\].*slices\[2\]"):
        pairwise_distances([torch.ones(4, 1), torch.ones(3, 1), torch.full((4, 1), float("nan"))])


@pytest.mark.parametrize("given", [[], [torch.tensor(1.0)], [torch.zeros(0, 3)]])
def test_a_group_has_channels(given):
    with pytest.raises(ValueError, match="slices"):
        pairwise_distances(given)


def test_unknown_metric():
    with pytest.raises(ValueError, match="'l3' is not one of l1, l2, cosine"):
        pairwise_distances([torch.ones(2, 2)], metric="l3")


def test_unknown_normalisation():
    with pytest.raises(ValueError, match="'layer' is not one of none, tensor"):
        pairwise_distances([torch.ones(2, 2)], normalize="layer")
