import pytest
import torch
from torch import nn

from workers.allocation import loss_curve, merging_errors, removal_errors
from workers.channels import find_groups


@pytest.fixture
def network():
    network = nn.Sequential(nn.Linear(1, 3, bias=False), nn.Linear(3, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[2.0], [2.0], [1.0]]))  # squares 4, 4, 1 of 9
        network[1].weight.copy_(torch.tensor([[1.0, 1.0, 0.0]]))  # squares 1, 1, 0 of 2
    return network, find_groups(network, (1,))


def test_removing_costs_the_shares_of_what_goes_lowest_scores_first(network):
    module, channel_map = network
    scores = {"0": torch.tensor([3.0, 2.0, 1.0])}
    errors = removal_errors(module.state_dict(), channel_map, scores)["0"]
    assert errors.tolist() == pytest.approx([0, 1 / 9, 1 / 9 + 4 / 9 + 1 / 2])


def test_merging_equal_channels_costs_nothing(network):
    module, channel_map = network
    errors = merging_errors(module.state_dict(), channel_map)["0"]
    # The first two are the same; then two of (2, 1) and one of (1, 0): 2 * 1 / 3 of their squared distance.
    assert errors.tolist() == pytest.approx([0, 0, 2 / 3 * (1 / 9 + 1 / 2)])


def test_the_size_of_a_layers_weights_does_not_matter(network):
    module, channel_map = network
    before = merging_errors(module.state_dict(), channel_map)["0"]
    with torch.no_grad():
        module[0].weight.mul_(1000)
    assert torch.allclose(merging_errors(module.state_dict(), channel_map)["0"], before)


def test_a_layer_of_zeros_costs_nothing():
    module = nn.Sequential(nn.Linear(1, 3, bias=False), nn.Linear(3, 1, bias=False))
    with torch.no_grad():
        module[0].weight.zero_()
        module[1].weight.fill_(1.0)
    assert merging_errors(module.state_dict(), find_groups(module, (1,)))["0"].tolist() == [0, 0, 0]


def test_between_measured_widths_the_loss_is_interpolated():
    # Of 8 channels 4 stay: 2 more; 2 stay: 3 more, so half a unit per channel, further down too.
    assert loss_curve(8, {4: 2.0, 2: 3.0}).tolist() == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5])


def test_a_loss_never_falls_and_starts_at_nothing():
    assert loss_curve(4, {3: -0.5, 2: 1.0, 1: 0.4}).tolist() == [0, 0, 1, 1]


def test_a_group_of_one_channel_has_nothing_to_lose():
    assert loss_curve(1, {}).tolist() == [0]


def test_a_group_that_was_never_cut_has_no_curve():
    with pytest.raises(ValueError, match="all 4 channels"):
        loss_curve(4, {})
