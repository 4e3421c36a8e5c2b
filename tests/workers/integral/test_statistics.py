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


def test_at_full_size_they_are_handed_on(channel_map):
    values = torch.arange(8.0)
    assert torch.equal(statistics(channel_map, uniform_nodes(8))("1.running_mean", values), values)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_equal_samples_make_equal_channels(channel_map, size):
    values = statistics(channel_map, uniform_nodes(size))("1.running_var", torch.full((size,), 2.0))
    assert values.tolist() == pytest.approx([2.0] * 8)


def test_between_samples_they_are_on_a_straight_line(channel_map):
    # Four samples at 1/8, 3/8, 5/8, 7/8 see 0, 1, 2, 3, which is 4 x - 1/2; channel i lies at (i + 1/2) / 8. Beyond the
    # outer samples the end is repeated halfway: it is interpolated with itself.
    values = statistics(channel_map, uniform_nodes(4))("1.running_mean", torch.arange(4.0))
    assert values[1:-1].tolist() == pytest.approx([0.25, 0.75, 1.25, 1.75, 2.25, 2.75])


def test_no_variance_falls_below_zero(channel_map):
    values = statistics(channel_map, uniform_nodes(4))("1.running_var", torch.tensor([0.0, 5.0, 0.0, 0.0]))
    assert float(values.min()) >= 0
