import pytest
import torch
from torch import nn

from workers.channels import find_groups, select
from workers.fold import CLUSTERINGS, cluster_channels, incoming_slices
from workers.integral import QUADRATURES, nodes_of, resample


def three_times_scattered():
    """A network of 3 different hidden channels, each there twice, not beside each other."""
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    with torch.no_grad():
        for tensor in (module[0].weight, module[0].bias):
            tensor.copy_(torch.randn(3, *tensor.shape[1:], generator=generator)[torch.tensor([0, 1, 2, 1, 0, 2])])
    return module, find_groups(module, (3,))


@pytest.mark.parametrize("name", CLUSTERINGS)
def test_a_network_of_equal_channels_computes_the_same_with_one_of_each(name):
    module, channel_map = three_times_scattered()
    [group] = channel_map.widths()
    state = module.state_dict()
    found = cluster_channels(state, channel_map, {group: 3}, CLUSTERINGS[name], incoming=True, seed=0)
    assert found.orders[group].tolist() == [0, 4, 1, 3, 2, 5]
    assert found.cells[group].tolist() == [1 / 3] * 3
    nodes = {group: nodes_of(found.cells[group])}
    smaller = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)).double()
    smaller.load_state_dict(
        resample(select(state, channel_map, found.orders), channel_map, nodes, QUADRATURES["means"])
    )
    inputs = torch.randn(5, 3, dtype=torch.float64)
    torch.testing.assert_close(smaller(inputs), module(inputs))


def test_a_merged_channel_is_a_mean_for_writers_and_a_sum_for_readers():
    module, channel_map = three_times_scattered()
    [group] = channel_map.widths()
    state = module.state_dict()
    found = cluster_channels(state, channel_map, {group: 1}, CLUSTERINGS["ward"], incoming=False, seed=0)
    nodes = {group: nodes_of(found.cells[group])}
    merged = resample(select(state, channel_map, found.orders), channel_map, nodes, QUADRATURES["means"])
    torch.testing.assert_close(merged["0.weight"], state["0.weight"].mean(0, keepdim=True))
    torch.testing.assert_close(merged["0.bias"], state["0.bias"].mean(0, keepdim=True))
    torch.testing.assert_close(merged["2.weight"], state["2.weight"].sum(1, keepdim=True))


class Stream(nn.Module):
    """Two layers write a stream of 4 channels, one reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, inputs):
        return self.last(self.first(inputs) + self.second(inputs))


def test_channels_of_a_stream_are_compared_by_all_layers_that_write_it():
    module = Stream()
    channel_map = find_groups(module, (3,))
    found = incoming_slices(module.state_dict(), channel_map, 0)
    expected = [
        each.weight.detach().double() / each.weight.detach().double().norm() for each in (module.first, module.second)
    ]
    torch.testing.assert_close(found, torch.cat(expected, 1))


class Attending(nn.Module):
    """A stream of 8 channels, and attention with 4 heads, whose layer keeps three weights as one parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.attention = nn.Linear(6, 8), nn.MultiheadAttention(8, 4, batch_first=True)
        self.last = nn.Linear(8, 5)

    def forward(self, inputs):
        inputs = self.stem(inputs)
        return self.last(inputs + self.attention(inputs, inputs, inputs, need_weights=False)[0])


class Bare(nn.Module):
    """A parameter that is no layer's, beside a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Parameter(torch.randn(8, 3)), nn.Linear(3, 8), nn.Linear(8, 5)

    def forward(self, inputs):
        return self.last(torch.nn.functional.linear(inputs, self.first) + self.second(inputs))


def test_parameters_that_no_layer_has_write_channels_too():
    torch.manual_seed(0)
    heads, channels = Attending().eval(), Bare()
    of_heads = find_groups(heads, (7, 6))
    weight = heads.attention.in_proj_weight.detach().double()
    found = incoming_slices(heads.state_dict(), of_heads, of_heads.group_index("attention.in_proj_weight"))
    # Of each head 2 rows of the queries', the keys' and the values' weights; no bias, and nothing that reads them.
    expected = (weight / weight.norm()).reshape(3, 4, 2 * 8).transpose(0, 1).reshape(4, -1)
    torch.testing.assert_close(found, expected)
    found = incoming_slices(channels.state_dict(), find_groups(channels, (3,)), 0)
    written = [each.detach().double() for each in (channels.first, channels.second.weight)]
    torch.testing.assert_close(found, torch.cat([each / each.norm() for each in written], 1))
