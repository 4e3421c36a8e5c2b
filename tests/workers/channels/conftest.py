"""Tiny networks, one per way in which channels are tied together, and what every test does to them."""

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.channels import ChannelMap, find_groups

SHAPE = (3, 8, 8)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def conv_bn(inputs: int, outputs: int, **options) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False, **options), nn.BatchNorm2d(outputs))


class Plain(nn.Module):
    """conv-bn-relu twice, flattened at 2 x 2, two linear layers."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5)
        self.fc1, self.fc2 = nn.Linear(5 * 2 * 2, 7), nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 2)
        x = functional.adaptive_avg_pool2d(functional.relu_(self.bn2(self.conv2(x))), 2)
        return self.fc2(functional.gelu(self.fc1(x.view(x.size(0), -1))))


class Residual(nn.Module):
    """A projection shortcut, then an identity shortcut."""

    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 4)
        self.inner1, self.outer1, self.shortcut = conv_bn(4, 5), conv_bn(5, 8), nn.Conv2d(4, 8, 1)
        self.inner2, self.outer2 = conv_bn(8, 6), conv_bn(6, 8)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        x = (self.outer1(self.inner1(x).relu()) + self.shortcut(x)).relu()
        y = self.outer2(self.inner2(x).relu())
        y += x
        return self.fc(y.relu().mean((2, 3)))


class Dense(nn.Module):
    """Pre-activation layers that see all that came before."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.bn1, self.conv1 = nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(7), nn.Conv2d(7, 3, 3, padding=1, bias=False)
        self.bn3, self.fc = nn.BatchNorm2d(10), nn.Linear(10 * 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.cat([x, self.conv1(self.bn1(x).relu())], 1)
        x = torch.cat([x, self.conv2(self.bn2(x).relu())], 1)
        return self.fc(functional.avg_pool2d(self.bn3(x).relu(), 4).flatten(1))


class Branches(nn.Module):
    """Inception: three branches side by side, out of order, then a sum over the whole."""

    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 5)
        self.left, self.right = conv_bn(5, 3), nn.Sequential(conv_bn(5, 4), nn.ReLU(), conv_bn(4, 6))
        self.whole, self.fc = nn.Conv2d(14, 14, 1), nn.Linear(14, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        x = torch.cat([self.right(x), x, self.left(x)], dim=1).relu()
        return self.fc((self.whole(x) + x).relu().mean((-2, -1)))


class Halves(nn.Module):
    """A convolution's two halves are multiplied: every unit owns two of its channels."""

    def __init__(self):
        super().__init__()
        self.wide, self.bn, self.after = nn.Conv2d(3, 12, 3), nn.BatchNorm2d(12), nn.Conv2d(6, 5, 3)
        self.fc = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.bn(self.wide(x)).chunk(2, 1)
        return self.fc(self.after(left * right.sigmoid()).relu().mean((2, 3)))


class Separable(nn.Module):
    """Depthwise (with a multiplier of 2, too) and pointwise convolutions, squeeze and excitation, a learned scale."""

    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 4)
        self.depth, self.point = conv_bn(4, 4, groups=4), nn.Conv2d(4, 6, 1)
        self.twice, self.last = conv_bn(6, 12, groups=6), nn.Conv2d(12, 5, 1)
        self.squeeze, self.excite = nn.Linear(5, 3), nn.Linear(3, 5)
        self.scale, self.fc = nn.Parameter(torch.rand(5, 1, 1)), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.point(self.depth(self.stem(x).relu()).relu())
        x = self.last(functional.relu6(self.twice(x))) * self.scale
        gate = self.excite(self.squeeze(x.mean((2, 3))).relu()).sigmoid()
        return self.fc((x * gate[:, :, None, None]).mean((2, 3)))


class Upscaling(nn.Module):
    """Super-resolution: pixel shuffle, a transposed convolution, the image added in the end."""

    def __init__(self):
        super().__init__()
        self.head, self.up = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 16, 3, padding=1)
        self.more, self.tail = nn.ConvTranspose2d(4, 6, 2, stride=2), nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.more(functional.pixel_shuffle(self.up(self.head(x).relu()), 2))
        return self.tail(y) + functional.interpolate(x, scale_factor=4)


class Padded(nn.Module):
    """A shortcut without parameters: strided, with channels of zeros before and behind (CIFAR ResNet, option A)."""

    def __init__(self):
        super().__init__()
        self.stem, self.inner, self.outer = conv_bn(3, 4), conv_bn(4, 6, stride=2), conv_bn(6, 8)
        self.after, self.fc = conv_bn(8, 5), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        shortcut = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
        x = (self.outer(self.inner(x).relu()) + shortcut).relu()
        return self.fc(self.after(x).relu().mean((2, 3)))


class ChannelsLast(nn.Module):
    """Linear layers over the channels of a permuted tensor, flattened space first."""

    def __init__(self):
        super().__init__()
        self.conv, self.mix, self.slope = nn.Conv2d(3, 6, 3, stride=4), nn.Linear(6, 5), nn.PReLU(5)
        self.fc = nn.Linear(5 * 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.fc(self.slope(x).permute(0, 2, 3, 1).reshape(x.size(0), -1))


NETWORKS = {
    network.__name__: network
    for network in (Plain, Residual, Dense, Branches, Halves, Separable, Upscaling, Padded, ChannelsLast)
}


def make(factory: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A float64 network in eval mode in which no two channels are alike, norms included."""
    torch.manual_seed(seed)
    model = factory().double().eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    return model


@pytest.fixture(params=sorted(NETWORKS))
def factory(request) -> type[nn.Module]:
    return NETWORKS[request.param]


@pytest.fixture
def network(factory) -> nn.Module:
    return make(factory)


@functools.cache
def _map_of(name: str) -> ChannelMap:
    return find_groups(make(NETWORKS[name]), SHAPE)


@pytest.fixture
def known_map() -> Callable[[nn.Module], ChannelMap]:
    """The map of one of these networks, found once per session."""
    return lambda model: _map_of(type(model).__name__)


@pytest.fixture
def image() -> Tensor:
    return torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def plain() -> nn.Module:
    return make(Plain)


@pytest.fixture
def residual() -> nn.Module:
    return make(Residual)


@pytest.fixture
def separable() -> nn.Module:
    return make(Separable)


@pytest.fixture
def channels_last() -> nn.Module:
    return make(ChannelsLast)


@pytest.fixture
def dense() -> nn.Module:
    return make(Dense)


@pytest.fixture
def upscaling() -> nn.Module:
    return make(Upscaling)


@pytest.fixture
def randomise() -> Callable[[Callable[[], nn.Module]], nn.Module]:
    return make
