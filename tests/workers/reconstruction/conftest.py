"""Networks that are cut by hand, and images to compare them on."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from workers.channels import find_groups, load_resized, select
from workers.reconstruction import DenseReference

# Two cores are shared, and sums come out the same in the same order.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_initial_weights():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def draw() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def images(draw) -> list[torch.Tensor]:
    """Four batches of images that are nowhere negative, as activations are."""
    return list(torch.rand(32, 3, 8, 8, generator=draw).split(8))


@pytest.fixture
def compare(draw) -> Callable[..., DenseReference]:
    def compare(dense, images, **more):
        channel_map = find_groups(dense, tuple(images[0].shape[1:]))
        return DenseReference(dense, channel_map, images, generator=draw, **more), channel_map

    return compare


@pytest.fixture
def cut() -> Callable[..., nn.Module]:
    def cut(dense, channel_map, kept):
        smaller = copy.deepcopy(dense)
        load_resized(smaller, select(dense.state_dict(), channel_map, kept))
        return smaller

    return cut


@pytest.fixture
def lived(draw) -> Callable[[nn.Module], nn.Module]:
    """A network in evaluation mode whose norms have seen something."""

    def lived(module):
        for each in module.modules():
            if isinstance(each, nn.BatchNorm2d):
                each.running_mean.uniform_(-0.5, 0.5, generator=draw)
                each.running_var.uniform_(0.5, 2, generator=draw)
                each.weight.data.uniform_(0.5, 1.5, generator=draw)
                each.bias.data.uniform_(-0.5, 0.5, generator=draw)
        return module.eval()

    return lived


@pytest.fixture
def two_layers() -> Callable[..., nn.Sequential]:
    """Two 1x1 convolutions without bias; weights as given, a row per output."""

    def two_layers(first, second):
        first, second = torch.tensor(first, dtype=torch.float32), torch.tensor(second, dtype=torch.float32)
        layers = [nn.Conv2d(each.shape[1], each.shape[0], 1, bias=False) for each in (first, second)]
        for layer, weight in zip(layers, (first, second), strict=True):
            layer.weight.data = weight[:, :, None, None]
        return nn.Sequential(*layers).eval()

    return two_layers
