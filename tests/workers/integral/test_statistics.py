import pytest
import torch
from torch import nn

from workers.channels import find_groups
from workers.integral.axes import with_widths
from workers.integral.conversion import uniform_nodes
from workers.integral.statistics import Statistics


@pytest.fixture(scope="module")
def channel_map():
    return find_groups(nn.Sequential(nn.Conv2d(1, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 2, 1)), (1, 2, 2))


def statistics(channel_map, nodes):
    sampled = with_widths(channel_map, {"0": len(nodes)})
    return Statistics(sampled, channel_map, {"0": nodes}, torch.device("cpu"))


def test_they_are_those_of_the_norms(channel_map):
    assert statistics(channel_map, uniform_nodes(5)).names == ["1.running_mean", "1.running_var"]


def test_at_full_size_a_change_is_handed_on(channel_map):
    change = torch.arange(8.0)
    assert torch.equal(statistics(channel_map, uniform_nodes(8))("1.running_mean", change), change)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_change_of_all_samples_is_one_of_all_channels(channel_map, size):
    change = statistics(channel_map, uniform_nodes(size))("1.running_var", torch.full((size,), 2.0))
    assert change.tolist() == pytest.approx([2.0] * 8)


def test_between_samples_a_change_is_interpolated(channel_map):
    # Four samples at 1/8, 3/8, 5/8, 7/8 see (0, 1, 2, 3); the channels lie at (i + 1/2) / 8.
    change = statistics(channel_map, uniform_nodes(4))("1.running_mean", torch.arange(4.0))
    assert bool((change.diff() > 0).all())
    assert float(change[3] + change[4]) / 2 == pytest.approx(1.5)
