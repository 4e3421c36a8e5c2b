"""The orders that the shortest path is compared with: known answers."""

import numpy as np
import pytest
import torch

from workers.ordering import pairwise_distances
from workers.ordering.references import REFERENCES, by_norm, spectral


def line(n, seed):
    """Channels at the places 0, 1, .., n-1 of a line, shuffled."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed)).float()[:, None]


def test_by_norm_sorts_by_the_sum_over_all_slices():
    slices = [torch.tensor([[3.0], [-1.0], [0.0]]), torch.tensor([[[1.0, -1.0]], [[0.5, 0.0]], [[-9.0, 0.0]]])]
    # l1 norms: 3 + 2, 1 + 0.5, 0 + 9
    assert by_norm(slices, pairwise_distances(slices), 0).tolist() == [1, 0, 2]


def test_by_norm_leaves_equal_channels_in_place():
    slices = [torch.tensor([[2.0], [-2.0], [1.0]])]
    assert by_norm(slices, pairwise_distances(slices), 0).tolist() == [2, 0, 1]


@pytest.mark.parametrize("n", [2, 3, 40])
def test_spectral_unshuffles_a_line(n):
    slices = [line(n, 1)]
    steps = np.diff(slices[0][spectral(slices, pairwise_distances(slices), 0), 0].numpy())
    assert (steps > 0).all() or (steps < 0).all()


def test_spectral_keeps_clusters_together():
    cluster = torch.arange(12) % 2
    slices = [cluster[:, None] * 100.0 + torch.rand(12, 3, generator=torch.Generator().manual_seed(2))]
    order = spectral(slices, pairwise_distances(slices), 0)
    assert np.abs(np.diff(cluster.numpy()[order])).sum() == 1


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_spectral_leaves_channels_in_place_where_all_are_alike(value):
    slices = [torch.full((6, 2), value)]
    assert spectral(slices, pairwise_distances(slices), 0).tolist() == list(range(6))


def test_spectral_is_invariant_to_relabelling():
    slices = [torch.randn(20, 8, generator=torch.Generator().manual_seed(3))]
    names = np.random.default_rng(4).permutation(20)
    renamed = [slices[0][names]]
    first = spectral(slices, pairwise_distances(slices), 0).tolist()
    second = names[spectral(renamed, pairwise_distances(renamed), 0)].tolist()
    assert second in (first, first[::-1])


@pytest.mark.parametrize("name", sorted(REFERENCES))
@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_channels(name, n):
    slices = [line(n, 0), torch.zeros(n, 0)]
    assert sorted(REFERENCES[name](slices, pairwise_distances(slices), 0).tolist()) == list(range(n))
