import timeit

import pytest
import torch
from torch import nn

from workers.channels import MacCount, ParameterCount, count_parameters, find_groups, load_resized, ownership, select
from workers.measure.counting import count_macs

SHAPE = (3, 8, 8)


def test_the_whole_network(network, known_map):
    assert count_parameters(known_map(network), {}) == sum(p.numel() for p in network.parameters())


def test_by_hand(plain, known_map):
    count = ParameterCount(known_map(plain))
    expected = (
        (3 * 9 * 2 + 2)  # conv1 with 2 channels
        + 2 * 2  # bn1
        + 2 * 9 * 5  # conv2, without bias
        + 2 * 5  # bn2
        + 5 * 4 * 1  # fc1 reads 2 x 2 pixels of 5 channels
        + 1  # its bias
        + (1 * 4 + 4)  # fc2
    )
    assert count({"conv1": 2, "fc1": 1}) == expected


def test_macs_are_those_that_torch_counts(network, known_map):
    # q k' and p v: 5 x 5 tokens over 12 + 8 channels, and 9 x 9 tokens over 8
    products = {"Transformer": 2 * 25 * 20, "ChannelAttention": 2 * 81 * 8}.get(type(network).__name__, 0)
    assert MacCount(known_map(network))({}) + products == count_macs(network, SHAPE)


def test_macs_of_a_cut_network_are_those_of_the_network_that_is_cut(residual, known_map):
    found = known_map(residual)
    kept = {group.name: torch.arange(max(1, group.width // 2)) for group in found.groups}
    predicted = MacCount(found)({name: len(units) for name, units in kept.items()})
    load_resized(residual, select(residual.state_dict(), found, kept))
    assert predicted == count_macs(residual, SHAPE) > 0


def test_a_transposed_convolution_counts_at_its_inputs():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 5, 2, stride=2))
    # 8 x 8 pixels of 3 channels to 4, then each of these pixels makes 2 x 2 pixels of 5 channels out of 4.
    assert MacCount(find_groups(model, SHAPE))({}) == 64 * 3 * 4 + 64 * 4 * 4 * 5


def test_macs_of_a_parameter_that_tokens_are_multiplied_by():
    class Products(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 4, stride=4)
            self.rise, self.fall = nn.Parameter(torch.randn(4, 6)), nn.Parameter(torch.randn(6, 5))

        def forward(self, x):
            return (self.stem(x).flatten(2).mT @ self.rise).relu().mean(1) @ self.fall

    model = Products()
    found = find_groups(model, SHAPE)
    assert MacCount(found)({}) == count_macs(model, SHAPE) == 4 * 48 * 4 + 4 * 4 * 6 + 6 * 5
    load_resized(model, select(model.state_dict(), found, {"rise": [0, 2]}))
    assert MacCount(found)({"rise": 2}) == count_macs(model, SHAPE)


def test_what_a_unit_owns(plain, known_map):
    owned = ownership(known_map(plain))["conv1"]
    # one filter of 3 x 3 x 3 with its bias, scale and shift, and its 3 x 3 part of each of conv2's 5 filters
    assert owned.parameters == 27 + 1 + 2 + 5 * 9
    assert ("conv1.weight", 0) in owned.axes
    assert ("conv2.weight", 1) in owned.axes
    assert ("bn1.running_var", 0) in owned.axes
    assert ("conv2.weight", 0) not in owned.axes


def test_macs_of_a_unit_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3, stride=2, padding=1))
    owned = ownership(find_groups(model, SHAPE))["0"]
    assert owned.macs == 64 * 27 + 16 * 9 * 5  # 8 x 8 places for its filter, 4 x 4 for its part of 5 others


def test_errors_name_the_group(plain, known_map):
    count = ParameterCount(known_map(plain))
    with pytest.raises(ValueError, match=r"group 'conv1': width 9; allowed: 0\.\.6"):
        count({"conv1": 9})
    with pytest.raises(ValueError, match=r"group 'nope': width 1; allowed: no such group"):
        count({"nope": 1})


def test_a_call_is_fast_enough_for_bisection(residual, known_map):
    count = ParameterCount(known_map(residual))
    # measured: about 10 microseconds
    assert timeit.timeit(lambda: count({"stem.0": 2}), number=100) / 100 < 2e-3


def test_a_network_without_groups():
    found = find_groups(nn.Conv2d(3, 4, 1), SHAPE)
    assert count_parameters(found, {}) == 16
    assert MacCount(found)({}) == 3 * 4 * 64
    assert ownership(found) == {}
