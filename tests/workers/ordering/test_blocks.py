"""Channels that must stay together are one unit, and are ordered as one."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from jobs.spec.effort import EFFORTS
from workers.channels import find_groups, load_resized, select
from workers.integral.slices import group_slices
from workers.ordering import order_channels

PLACES = torch.tensor([3.0, 0.0, 2.0, 1.0])  # of the units on a line: the order is 1 3 2 0


class Grouped(nn.Module):
    """A convolution in 4 groups of 2 channels: what it reads and what it makes goes by groups."""

    def __init__(self):
        super().__init__()
        self.first, self.wide, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, groups=4), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.wide(self.first(x)).relu())


class Shuffled(nn.Module):
    """8 channels shuffled in two parts, then convolved in 4 groups of 2: pairs of channels that lie 4 apart."""

    def __init__(self):
        super().__init__()
        self.first, self.wide, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, groups=4), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.wide(functional.channel_shuffle(self.first(x), 2)).relu())


class PixelShuffled(nn.Module):
    """Every 2 x 2 channels become one channel of an image twice as large."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 16, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(functional.pixel_shuffle(self.first(x), 2).relu())


UNITS = {
    Grouped: torch.arange(8) // 2,
    Shuffled: torch.arange(8) % 4,  # channel 4 k + j becomes channel 2 j + k
    PixelShuffled: torch.arange(16) // 4,
}


@pytest.mark.parametrize("network", UNITS)
def test_blocks_are_ordered_as_units_and_stay_whole(network):
    torch.manual_seed(0)
    module, units = network().eval(), UNITS[network]
    with torch.no_grad():  # only `first` says where the units lie
        for parameter in module.parameters():
            parameter.mul_(0.001)
        module.first.weight.add_(PLACES[units][:, None, None, None])
    image = torch.rand(1, 3, 6, 6)
    channel_map = find_groups(module, (3, 6, 6))
    index = next(k for k, group in enumerate(channel_map.groups) if "first" in group.name)
    assert channel_map.groups[index].width == 4
    state, expected = module.state_dict(), module(image)
    order = order_channels(group_slices(state, channel_map, index), method="tsp", seed=0, limits=EFFORTS["fast"]).order
    assert order == (0, 2, 3, 1)  # down the line: the end with the smaller index comes first
    permuted = select(state, channel_map, {channel_map.groups[index].name: order})
    places = permuted["first.weight"][:, 0, 0, 0].round()
    assert places.tolist() == torch.tensor([3.0, 2.0, 1.0, 0.0])[units].tolist()
    load_resized(module, permuted)
    torch.testing.assert_close(module(image), expected)
