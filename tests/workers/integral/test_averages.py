"""Averages over cells, by hand."""

import torch

from workers.channels import find_groups
from workers.integral import QUADRATURES, nodes_of, resample
from workers.integral.averages import CellMeans


def nodes(*channels):
    """Nodes of cells that hold so many of six channels."""
    return nodes_of(torch.tensor(channels, dtype=torch.float64) / 6)


def test_a_cell_of_whole_channels_is_their_mean_and_the_sum_of_their_weights():
    half, third = 1 / 2, 1 / 3
    means = [[half, half, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, third, third, third]]
    torch.testing.assert_close(CellMeans().sampling(nodes(2, 1, 3), 6), torch.tensor(means, dtype=torch.float64))
    sums = [[1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    torch.testing.assert_close(CellMeans()(nodes(2, 1, 3), 6), torch.tensor(sums, dtype=torch.float64))


def test_a_cell_that_cuts_a_channel_takes_a_part_of_it():
    found = CellMeans()(nodes(1.5, 4.5), 6)
    expected = torch.tensor([[1, 0.5, 0, 0, 0, 0], [0, 0.5, 1, 1, 1, 1]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_nodes_get_a_gradient_where_they_cut_channels():
    at = nodes(1.5, 4.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: CellMeans().sampling(x, 6), at)


def test_a_network_whose_channels_are_equal_in_pairs_computes_the_same_with_half_of_them():
    generator = torch.Generator().manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2)).double()
    with torch.no_grad():
        for tensor in (module[0].weight, module[0].bias):
            tensor.copy_(torch.randn(3, *tensor.shape[1:], generator=generator).repeat_interleave(2, 0))
    channel_map = find_groups(module, (3,))
    [name] = channel_map.widths()
    state = resample(module.state_dict(), channel_map, {name: nodes(2, 2, 2)}, QUADRATURES["means"])
    smaller = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)).double()
    smaller.load_state_dict(state)
    inputs = torch.randn(5, 3, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(smaller(inputs), module(inputs))
