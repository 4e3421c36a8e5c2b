"""Distances between channels: the blockwise sum against the plain one, and what is refused."""

import numpy as np
import pytest
import torch

from workers.ordering import pairwise_distances


def slices(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize(("metric", "p"), [("l1", 1), ("l2", 2)])
@pytest.mark.parametrize("block", [1, 4, 100])
def test_blocks_agree_with_the_naive_sum(metric, p, block):
    given = slices((10, 7), (10, 3, 3, 3), (10, 1), (10,), (10, 0))
    naive = sum(
        np.linalg.norm(rows[:, None] - rows[None], ord=p, axis=-1)
        for rows in (s.double().reshape(10, s[0].numel()).numpy() for s in given)
    )
    assert np.allclose(pairwise_distances(given, metric=metric, block=block), naive, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("metric", ["l1", "l2"])
def test_symmetric_with_a_zero_diagonal_to_the_last_bit(metric):
    distances = pairwise_distances(slices((40, 500)), metric=metric, block=16)
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
    with pytest.raises(ValueError, match="'cosine' is not one of l1, l2"):
        pairwise_distances([torch.ones(2, 2)], metric="cosine")
