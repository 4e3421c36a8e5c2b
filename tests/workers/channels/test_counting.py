import timeit

import pytest

from workers.channels import ParameterCount, count_parameters, find_groups

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
    from torch import nn

    assert count_parameters(find_groups(nn.Conv2d(3, 4, 1), SHAPE), {}) == 16
