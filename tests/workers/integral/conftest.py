"""Tiny networks, one per way in which channels meet (sum, concatenation, flattening), and clones of channels."""

import copy
import functools
from collections.abc import Callable

import pytest
import torch
import tunings
from integral_changes import fewer
from torch import Tensor, nn

from workers.channels import ChannelMap, find_groups, load_resized
from workers.integral.network import IntegralNetwork
from workers.models import build

SHAPE = (1, 8, 8)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def flattened() -> nn.Module:
    """Each of 6 channels enters the linear layer as 2 x 2 inputs."""
    return nn.Sequential(
        nn.Conv2d(1, 5, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(5, 6, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 7),
        nn.ReLU(),
        nn.Linear(7, 4),
    )


FACTORIES: dict[str, Callable[[], nn.Module]] = {
    "residual": lambda: build("resnet", {"widths": [5, 8], "in_channels": 1}),
    "concat": lambda: build("densenet", {"growth": 4, "layers": 2, "in_channels": 1}),
    "flattened": flattened,
}


@functools.cache
def _analysed(name: str) -> tuple[nn.Module, ChannelMap]:
    torch.manual_seed(0)
    module = FACTORIES[name]().eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
    return module, find_groups(module, SHAPE)


@pytest.fixture
def make() -> Callable[[str], tuple[nn.Module, ChannelMap]]:
    """A network in eval mode whose norms are not trivial, and its channel map."""

    def make(name: str) -> tuple[nn.Module, ChannelMap]:
        module, channel_map = _analysed(name)
        return copy.deepcopy(module), channel_map

    return make


@pytest.fixture(params=sorted(FACTORIES))
def network(request, make) -> tuple[nn.Module, ChannelMap]:
    return make(request.param)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def rebuilt() -> Callable[[nn.Module, dict[str, Tensor]], nn.Module]:
    """A copy of a network with other tensors."""

    def rebuilt(module: nn.Module, state: dict[str, Tensor]) -> nn.Module:
        smaller = copy.deepcopy(module)
        load_resized(smaller, state)
        return smaller

    return rebuilt


@pytest.fixture
def cloned() -> Callable[[int], nn.Module]:
    """A double-precision network of 4 and 5 different hidden channels, each there `copies` times, side by side."""

    def cloned(copies: int) -> nn.Module:
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(1, 4 * copies, 3),
            nn.ReLU(),
            nn.Conv2d(4 * copies, 5 * copies, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(5 * copies, 3),
        ).double()
        for tensor in module.state_dict().values():
            for axis, length in enumerate(tensor.shape):
                if length in (4 * copies, 5 * copies):
                    first = tensor.index_select(axis, torch.arange(0, length, copies))
                    tensor.copy_(first.repeat_interleave(copies, axis))
        return module.eval()

    return cloned


@pytest.fixture
def integral(network):
    """An integral network between its channels, in evaluation mode."""
    made = IntegralNetwork(*network)
    made.resize(fewer(made))
    return made


@pytest.fixture
def residual(make):
    made = IntegralNetwork(*make("residual"))
    made.resize(fewer(made))
    return made


@pytest.fixture
def problem_of(make):
    return lambda name: tunings.pose(*make(name))


@pytest.fixture
def problem(problem_of):
    return problem_of("flattened")


@pytest.fixture
def looked_up():
    return tunings.looked_up()
