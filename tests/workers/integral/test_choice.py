"""Choices by hand: two orders of four channels, and a network of one group."""

import pytest
import torch
from small_detectors import images, small_detector, small_map
from torch import nn

from jobs.errors import CancelledError
from workers.channels import find_groups
from workers.integral.choice import OutputError, choose_by_error, choose_by_weights
from workers.integral.partition import uniform
from workers.integral.quadrature import QUADRATURES, midpoint
from workers.objectives.classification import objective
from workers.objectives.detection import objective as detection

UNIFORM = {"partition": uniform, "quadrature": QUADRATURES["product"]}
PAIRED, CROSSED = torch.tensor([0, 1, 2, 3]), torch.tensor([0, 2, 1, 3])


def network(rows):
    """A linear network whose four inner units own these weights."""
    module = nn.Sequential(nn.Linear(1, 4), nn.Linear(4, 1))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor(rows)[:, None])
        module[0].bias.zero_()
        module[1].weight.fill_(1.0)
        module[1].bias.zero_()
    module.eval()
    return module, find_groups(module, (1,))


def test_weights_choose_the_order_whose_neighbours_are_alike():
    # Two cells of two channels: 0 0 1 1 is lost less than 0 1 0 1, whichever order stands first.
    module, channel_map = network([0.0, 0.0, 1.0, 1.0])
    [group] = [group.name for group in channel_map.groups]
    for orders, best in (([PAIRED, CROSSED], 0), ([CROSSED, PAIRED], 1)):
        choice = choose_by_weights(module.state_dict(), channel_map, {group: orders}, {group: 2}, **UNIFORM)
        assert choice.chosen == {group: best}
        assert (choice.error_after < choice.error_before) == (best == 1)


def test_equal_errors_leave_the_shortest():
    module, channel_map = network([1.0, 1.0, 1.0, 1.0])
    [group] = [group.name for group in channel_map.groups]
    choice = choose_by_weights(module.state_dict(), channel_map, {group: [PAIRED, CROSSED]}, {group: 2}, **UNIFORM)
    assert choice.chosen == {group: 0}


def test_the_output_error_by_hand():
    # Channels 0 1 2 6 weigh 1 1 0 0, which gives 1. Midpoints of two cells lie between channels 0 and 1 and between 2
    # and 3, where cubic convolution (a = -3/4) takes -3/32, 19/32, 19/32, -3/32 of four neighbours, ends repeated:
    # channels 13/32 and 131/32, weights 35/32 and -3/32, both doubled by the midpoint rule: (455 - 393) / 512 in all.
    module, channel_map = network([0.0, 1.0, 2.0, 6.0])
    with torch.no_grad():
        module[1].weight[0, 2:] = 0.0
    [group] = [group.name for group in channel_map.groups]
    error = OutputError(
        module,
        channel_map,
        {group: [PAIRED]},
        {group: 2},
        partition=uniform,
        quadrature=midpoint,
        inputs=torch.ones(1, 1),
        objective=objective(),
    )
    assert error({group: 0}) == pytest.approx((1 - 62 / 512) ** 2)


def test_at_full_size_no_order_changes_the_output():
    module, channel_map = network([0.0, 3.0, 1.0, 2.0])
    [group] = [group.name for group in channel_map.groups]
    error = OutputError(
        module,
        channel_map,
        {group: [PAIRED, CROSSED]},
        {group: 4},
        partition=uniform,
        quadrature=midpoint,
        inputs=torch.rand(5, 1),
        objective=objective(),
    )
    assert [error({group: index}) for index in (0, 1)] == pytest.approx([0, 0], abs=1e-12)


def test_descent_keeps_what_lowers_the_error_with_all_others_as_chosen():
    # b's second order is only good together with a's third; a is decided first, and stays.
    errors = {(0, 0): 5.0, (1, 0): 4.0, (2, 0): 3.0, (2, 1): 2.0}
    asked = []

    def error(chosen):
        asked.append((chosen["a"], chosen["b"]))
        return errors[asked[-1]]

    choice = choose_by_error({"a": [PAIRED] * 3, "b": [PAIRED] * 2}, error, lambda: False)
    assert choice.chosen == {"a": 2, "b": 1}
    assert (choice.error_before, choice.error_after) == (5, 2)
    assert asked == [(0, 0), (1, 0), (2, 0), (2, 1)]


def test_it_can_be_stopped():
    with pytest.raises(CancelledError):
        choose_by_error({"a": [PAIRED, CROSSED]}, lambda chosen: 0.0, lambda: True)


def test_the_error_of_a_detector_is_its_loss_on_the_whole_ones_detections():
    module = small_detector()
    channel_map = small_map()
    pools = {name: [torch.arange(width)] for name, width in channel_map.widths().items()}
    error = OutputError(
        module,
        channel_map,
        pools,
        channel_map.widths(),
        partition=uniform,
        quadrature=midpoint,
        inputs=images(),
        objective=detection(),
    )
    with torch.no_grad():
        wanted = detection().pseudo_targets(module(images()))
        expected = detection().loss(module(images(), wanted), wanted)
    assert error(dict.fromkeys(pools, 0)) == pytest.approx(float(expected), rel=1e-4)
