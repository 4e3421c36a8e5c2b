import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from jobs.errors import BadInputError
from workers.allocation import ALLOCATIONS, AllocationProblem, Design, allocate
from workers.channels import ParameterCount, count_parameters, find_groups, load_resized, select
from workers.models import build

NETWORKS = {
    "resnet": {"widths": [16, 32, 64], "in_channels": 1},
    "densenet": {"growth": 24, "layers": 2, "in_channels": 1},  # with 12 one channel can be more than a point
    "plain": {"widths": [32, 64, 128], "in_channels": 1},
}
targets = st.integers(0, 90).map(lambda percent: percent / 100)


class Softmax(nn.Module):
    """The first layer's channels compete with each other; the second one's are free."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.linear = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 3, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.linear(self.second(self.first(x).softmax(1)).relu().mean((2, 3)))


@functools.cache
def analysed(name):
    torch.manual_seed(0)
    module = build(name, NETWORKS[name]).eval()
    return module, find_groups(module, (1, 8, 8))


def uniform_widths(channel_map, target):
    return allocate(
        ALLOCATIONS["uniform"],
        AllocationProblem(channel_map=channel_map, target=target, cost=ParameterCount(channel_map)),
    )


def map_of(module):
    return find_groups(module.eval(), (1, 8, 8))


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=10, deadline=None)
@given(target=targets)
def test_the_target_is_reached_within_a_point(name, target):
    _, channel_map = analysed(name)
    allocation = uniform_widths(channel_map, target)
    assert allocation.reached == pytest.approx(target, abs=0.01)
    assert allocation.note == ""
    assert all(1 <= allocation.widths[name] <= width for name, width in channel_map.widths().items())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("target", [0.13, 0.5, 0.87])
def test_the_compression_it_predicts_is_the_real_one(name, target):
    module, channel_map = analysed(name)
    allocation = uniform_widths(channel_map, target)
    smaller = build(name, NETWORKS[name])
    load_resized(smaller, select(module.state_dict(), channel_map, {k: range(v) for k, v in allocation.widths.items()}))
    left, full = (sum(each.numel() for each in net.parameters()) for net in (smaller, module))
    assert left == count_parameters(channel_map, allocation.widths)
    assert 1 - left / full == pytest.approx(allocation.reached, abs=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_compression_0_keeps_all(name):
    _, channel_map = analysed(name)
    allocation = uniform_widths(channel_map, 0.0)
    assert (dict(allocation.widths), allocation.reached, allocation.note) == (channel_map.widths(), 0.0, "")


@settings(max_examples=10, deadline=None)
@given(target=targets)
def test_every_group_keeps_about_the_same_fraction(target):
    # One channel away from the common fraction at most: rounding, and the step between two roundings.
    _, channel_map = analysed("resnet")
    allocation = uniform_widths(channel_map, target)
    full = channel_map.widths()
    lowest = max((width - 1) / full[name] for name, width in allocation.widths.items())
    highest = min((width + 1) / full[name] for name, width in allocation.widths.items())
    assert lowest <= highest


def test_by_hand():
    # 1 -> 10 -> 1 channels, kernel 1 x 1: 10 + 10 + 10 + 1 = 31 parameters, 3 of them per channel.
    # 40 % of 31 is 12.4; four channels take 12 away.
    module = nn.Sequential(nn.Conv2d(1, 10, 1), nn.ReLU(), nn.Conv2d(10, 1, 1))
    allocation = uniform_widths(map_of(module), 0.4)
    assert (dict(allocation.widths), allocation.reached) == ({"0": 6}, pytest.approx(12 / 31))
    assert allocation.note == "asked 40%, reached 38.7%: widths are whole numbers and no nearer ones exist at one " + (
        "fraction for all groups"
    )


def test_a_target_that_is_out_of_reach_fails_with_the_nearest_possible_one():
    # Of 31 parameters one channel keeps 4: 87.1 % is the most.
    module = nn.Sequential(nn.Conv2d(1, 10, 1), nn.ReLU(), nn.Conv2d(10, 1, 1))
    with pytest.raises(BadInputError, match=r"95% .* at most 87\.1% can: .* one channel left then; ask for 87 %"):
        uniform_widths(map_of(module), 0.95)
    assert dict(uniform_widths(map_of(module), 0.88).widths) == {"0": 1}  # less than a point above


def test_what_is_kept_whole_is_named():
    channel_map = map_of(Softmax())
    with pytest.raises(BadInputError) as raised:
        uniform_widths(channel_map, 0.9)
    assert "kept whole: first (aten.softmax" in str(raised.value)
    assert channel_map.refused[0].reason in str(raised.value)


def test_a_network_without_groups_says_so():
    with pytest.raises(BadInputError, match=r"30% .* at most 0.0% can: the network has no channel group that can be"):
        uniform_widths(map_of(nn.Sequential(nn.Flatten(), nn.Linear(64, 3))), 0.3)


def test_the_proportions_stay_and_the_target_is_met(staged, ask):
    found = allocate(ALLOCATIONS["template"], ask(staged, 0.4), {"fractions": [0.25, 0.5, 0.5]})
    kept = {name: width / staged.widths()[name] for name, width in found.widths.items()}
    assert found.reached == pytest.approx(0.4, abs=0.02)  # one channel of the last stage is 1.5 % of the network
    assert kept["0"] / kept["3"] == pytest.approx(0.5, abs=0.07)  # one channel of ten is much


def test_no_group_grows_beyond_its_width(staged, ask):
    found = allocate(ALLOCATIONS["template"], ask(staged, 0.02), {"fractions": [0.5, 1.0, 1.0]})
    assert found.widths["3"] <= 40
    assert found.reached == pytest.approx(0.02, abs=0.01)


def test_guided_widths_have_the_proportions_of_what_was_found(staged, ask):
    design = Design(channel_map=staged, widths={"0": 10, "1": 10, "2": 10, "3": 10})
    guided = allocate(ALLOCATIONS["guided"], ask(staged, 0.5, designs=lambda: [design]))
    template = allocate(ALLOCATIONS["template"], ask(staged, 0.5), {"fractions": [1.0, 0.5, 0.25]})
    assert guided.widths == template.widths
