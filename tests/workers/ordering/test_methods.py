"""Orders by name, as the stage asks for them."""

import numpy as np
import pytest
import torch

from jobs.spec.effort import EFFORTS
from workers.ordering import METHODS, order_channels, pairwise_distances, path_length


def curve(n):
    """A smooth curve of weights in 27 + 8 dimensions, shuffled."""
    t = torch.linspace(0, 3, n)[torch.randperm(n, generator=torch.Generator().manual_seed(0))]
    return [
        torch.sin(t[:, None] + torch.arange(27.0)).reshape(n, 3, 3, 3),
        torch.cos(t[:, None] * torch.linspace(0, 1, 8)),
    ]


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("n", [1, 2, 3, 24])
def test_every_method_returns_a_described_permutation(method, n):
    slices = curve(n)
    found = order_channels(slices, method=method, seed=1, limits=EFFORTS["fast"])
    matrix = pairwise_distances(slices)
    assert sorted(found.order) == list(range(n))
    assert found.length == path_length(matrix, found.order)
    assert 0 <= found.lower_bound <= found.length
    assert found.order[0] <= found.order[-1]


@pytest.mark.parametrize("metric", ["l1", "l2"])
def test_tsp_unshuffles_a_curve(metric):
    slices = curve(50)
    found = order_channels(slices, method="tsp", metric=metric, seed=0, limits=EFFORTS["fast"])
    along = torch.linspace(0, 3, 50)[torch.randperm(50, generator=torch.Generator().manual_seed(0))]
    steps = np.diff(along[list(found.order)].numpy())
    assert (steps > 0).all() or (steps < 0).all()
    assert found.length < found.identity_length / 5


def test_identity_stays_and_random_follows_the_seed():
    slices = curve(24)
    assert order_channels(slices, method="identity", seed=0).order == tuple(range(24))
    drawn = [order_channels(slices, method="random", seed=seed).order for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_references_share_the_bound_of_the_shortest_path():
    slices = curve(24)
    best = order_channels(slices, method="tsp", seed=0).length
    for method in ("identity", "random"):
        found = order_channels(slices, method=method, seed=0)
        assert 0.9 * best < found.lower_bound <= best < found.length
        assert found.status == "feasible"


def test_unknown_method():
    with pytest.raises(ValueError, match="'greedy' is not one of tsp, identity, random, norm, spectral"):
        order_channels(curve(3), method="greedy", seed=0)
