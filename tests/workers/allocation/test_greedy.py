import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.allocation import ALLOCATIONS, AllocationProblem, allocate, loss_curve
from workers.channels import MacCount, ParameterCount, count_parameters, find_groups


def least_error(channel_map, target, errors, cost=ParameterCount):
    problem = AllocationProblem(channel_map=channel_map, target=target, cost=cost(channel_map), errors=lambda: errors)
    return allocate(ALLOCATIONS["least-error"], problem)


@pytest.fixture(scope="module")
def channel_map():
    # 1 -> 4 -> 4 -> 2 without biases: 4 + 16 + 8 = 28 parameters; a channel less of "0" saves 5, one of "1" saves 6.
    layers = [nn.Conv2d(1, 4, 1, bias=False), nn.Conv2d(4, 4, 1, bias=False), nn.Flatten(), nn.Linear(4, 2, bias=False)]
    return find_groups(nn.Sequential(*layers), (1, 1, 1))


def curve(*errors):
    return torch.tensor(errors, dtype=torch.float64)


def test_channels_go_where_they_cost_nothing(channel_map):
    allocation = least_error(channel_map, 0.35, {"0": curve(0, 0, 0, 0), "1": curve(0, 1, 2, 3)})
    assert allocation.widths == {"0": 2, "1": 4}  # 28 - 10 = 18 parameters
    assert allocation.reached == pytest.approx(10 / 28)
    assert allocation.note == ""


def test_what_counts_is_the_error_per_parameter(channel_map):
    # Equal errors: a channel of "1" saves 6, one of "0" saves 5. After it, "0" saves 4 and "1" still 6.
    allocation = least_error(channel_map, 0.43, {"0": curve(0, 1, 2, 3), "1": curve(0, 1, 2, 3)})
    assert allocation.widths == {"0": 4, "1": 2}


def test_every_group_keeps_a_channel(channel_map):
    # One channel each: 1 + 1 + 2 = 4 of 28 parameters stay.
    flat = {"0": curve(0, 0, 0, 0), "1": curve(0, 0, 0, 0)}
    assert least_error(channel_map, 0.86, flat).widths == {"0": 1, "1": 1}
    with pytest.raises(BadInputError, match=r"95% .* cannot be removed, at most 85.7% can: .* one channel"):
        least_error(channel_map, 0.95, flat)


def test_another_cost_is_saved_where_that_costs_least():
    # 1 -> 4 -> 4 channels on 2 x 2 places, then the second convolution on one: a channel less of "0" saves 4 of 16 + 16
    # multiply-accumulates of its own and 4 of the second's, one of "1" saves 4 of the second's and 2 of the linear's.
    layers = [
        nn.Conv2d(1, 4, 1, bias=False),
        nn.Conv2d(4, 4, 2, bias=False),
        nn.Flatten(),
        nn.Linear(4, 2, bias=False),
    ]
    found = find_groups(nn.Sequential(*layers), (1, 2, 2))
    equal = {"0": curve(0, 1, 2, 3), "1": curve(0, 1, 2, 3)}
    # By parameters "0" saves 1 + 16 and "1" 16 + 2; by multiply-accumulates "0" saves 4 + 16 and "1" 16 + 2.
    assert least_error(found, 0.22, equal).widths == {"0": 4, "1": 3}
    assert least_error(found, 0.22, equal, MacCount).widths == {"0": 3, "1": 4}


def test_nothing_goes_at_zero(channel_map):
    assert least_error(channel_map, 0.0, {"0": curve(0, 0, 0, 0), "1": curve(0, 0, 0, 0)}).widths == {"0": 4, "1": 4}


@pytest.mark.parametrize("target", [0.1, 0.25, 0.4, 0.6])
def test_it_is_the_plain_greedy_choice(channel_map, target):
    errors = {"0": curve(0, 0.3, 0.5, 1.23), "1": curve(0, 0.2, 0.9, 1.1)}
    widths, wanted = {"0": 4, "1": 4}, (1 - target) * 28

    def price(name):
        taken, left = 4 - widths[name], count_parameters(channel_map, widths)
        smaller = count_parameters(channel_map, {**widths, name: widths[name] - 1})
        return float(errors[name][taken + 1] - errors[name][taken]) / (left - smaller), smaller

    while (left := count_parameters(channel_map, widths)) > wanted:
        cheapest = min((name for name in widths if widths[name] > 1), key=lambda name: price(name)[0])
        if abs(price(cheapest)[1] - wanted) >= abs(left - wanted):
            break
        widths[cheapest] -= 1
    assert least_error(channel_map, target, errors).widths == widths


def test_by_sensitivity_channels_go_where_the_loss_grows_least_per_parameter(chain, ask):
    losses = {"0": loss_curve(4, {2: 8.0}), "1": loss_curve(4, {2: 0.2})}
    found = allocate(ALLOCATIONS["sensitivity"], ask(chain, 12 / 28, losses=lambda: losses))
    assert dict(found.widths) == {"0": 4, "1": 2}
