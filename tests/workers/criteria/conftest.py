"""Networks of a few weights, and criteria asked to judge them."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from workers.channels import find_groups
from workers.criteria import CRITERIA, Evidence
from workers.inputs import InputSpec

SHAPE = (1, 8, 8)


def evidence_of(module: nn.Module, shape=SHAPE, *, seed=0, observed=None) -> Evidence:
    return Evidence(
        state=module.state_dict(),
        channel_map=find_groups(module.eval(), shape),
        generator=torch.Generator().manual_seed(seed),
        network=lambda: (copy.deepcopy(module), InputSpec.of_shape(shape)),
        observed=observed or {},
    )


@pytest.fixture(scope="session")
def evidence() -> Callable[..., Evidence]:
    return evidence_of


@pytest.fixture
def judge() -> Callable[..., dict]:
    def judge(criterion: str, module: nn.Module, shape=SHAPE, **more):
        return CRITERIA[criterion](evidence_of(module, shape, **more))

    return judge


@pytest.fixture
def three_filters() -> nn.Module:
    """Filters (3, 4), (0, 5) and (-6, 8), of norms 5, 5 and 10; a layer of two outputs reads them."""
    module = nn.Sequential(nn.Conv2d(1, 3, (1, 2)), nn.ReLU(), nn.Conv2d(3, 2, 1))
    module[0].weight.data = torch.tensor([[3.0, 4.0], [0.0, 5.0], [-6.0, 8.0]]).view(3, 1, 1, 2)
    nn.init.zeros_(module[0].bias)
    return module


@pytest.fixture
def statistics() -> Callable[..., dict]:
    """Makes statistics of the three filters by their names, each with numbers of its own."""

    def statistics(names):
        values = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
        return {name: {"0": values + 10 * number} for number, name in enumerate(names)}

    return statistics
