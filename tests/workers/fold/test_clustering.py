import pytest
import torch

from workers.fold import CLUSTERINGS, joining_errors

PAIRS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.1, 0.9], [-1.0, -1.0]])


def sets_of(labels):
    return {frozenset((labels == label).nonzero()[:, 0].tolist()) for label in labels.unique()}


@pytest.mark.parametrize("name", CLUSTERINGS)
def test_alike_channels_are_together(name):
    assert sets_of(CLUSTERINGS[name](PAIRS, 3, 0)) == {frozenset({0, 2}), frozenset({1, 3}), frozenset({4})}


@pytest.mark.parametrize("name", CLUSTERINGS)
@pytest.mark.parametrize("channels", [torch.ones(5, 2), torch.zeros(5, 2), PAIRS], ids=["equal", "nothing", "pairs"])
def test_there_are_as_many_clusters_as_were_asked_for(name, channels):
    for size in (1, 2, 4, 5):
        assert sorted(CLUSTERINGS[name](channels, size, 0).unique().tolist()) == list(range(size))
    assert CLUSTERINGS[name](channels[:1], 1, 0).tolist() == [0]


def test_length_counts_for_all_but_the_cosine():
    channels = torch.tensor([[1.0, 0.0], [9.0, 0.5], [0.0, 1.0]])
    assert sets_of(CLUSTERINGS["cosine"](channels, 2, 0)) == {frozenset({0, 1}), frozenset({2})}
    for name in ("ward", "kmeans"):
        assert sets_of(CLUSTERINGS[name](channels, 2, 0)) == {frozenset({0, 2}), frozenset({1})}


def test_errors_are_squared_distances_from_the_means_of_wards_clusters():
    channels = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    errors = joining_errors(channels)
    for size in range(1, 10):
        labels = CLUSTERINGS["ward"](channels, size, 0)
        clusters = [channels[labels == label] for label in range(size)]
        expected = sum(float((each - each.mean(0)).square().sum()) for each in clusters)
        assert abs(float(errors[9 - size]) - expected) < 1e-9
    assert joining_errors(channels[:1]).tolist() == [0]
