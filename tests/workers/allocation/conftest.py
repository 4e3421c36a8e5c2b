from collections.abc import Callable

import pytest
import torch
from torch import nn

from workers.allocation import AllocationProblem
from workers.channels import ChannelMap, ParameterCount, find_groups


@pytest.fixture(scope="session")
def chain() -> ChannelMap:
    # 1 -> 4 -> 4 -> 2 without biases: 4 + 16 + 8 = 28 parameters. With a and b channels: a + ab + 2b.
    layers = [nn.Conv2d(1, 4, 1, bias=False), nn.Conv2d(4, 4, 1, bias=False), nn.Flatten(), nn.Linear(4, 2, bias=False)]
    return find_groups(nn.Sequential(*layers), (1, 1, 1))


@pytest.fixture(scope="session")
def staged() -> ChannelMap:
    # Two convolutions at 4 x 4 places, one at 2 x 2, one at 1 x 1.
    layers = [
        nn.Conv2d(1, 10, 1),
        nn.Conv2d(10, 10, 1),
        nn.Conv2d(10, 20, 2, stride=2),
        nn.Conv2d(20, 40, 2, stride=2),
        nn.Conv2d(40, 1, 1),
    ]
    return find_groups(nn.Sequential(*layers), (1, 4, 4))


@pytest.fixture
def ask() -> Callable[..., AllocationProblem]:
    def ask(channel_map, target, *, scores=None, **given):
        if scores is not None:
            tensors = {name: torch.tensor(values, dtype=torch.float64) for name, values in scores.items()}
            given["scores"] = lambda: tensors
        return AllocationProblem(channel_map=channel_map, target=target, cost=ParameterCount(channel_map), **given)

    return ask
