"""Tiny networks, one for each way in which channels are coupled, and shared checks."""

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


class Grouped(nn.Module):
    """Convolutions in groups, one of them transposed, and a norm in groups: whole groups go."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(4, 8)
        self.wide = nn.Conv2d(8, 12, 3, padding=1, groups=4, bias=False)
        self.mix, self.up = nn.Conv2d(12, 6, 1), nn.ConvTranspose2d(6, 9, 2, stride=2, groups=3)
        self.bn, self.single = nn.BatchNorm2d(9), nn.InstanceNorm2d(5, affine=True, track_running_stats=True)
        self.last, self.fc = nn.Conv2d(9, 5, 1), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.wide(self.norm(self.stem(x)).relu())
        x = self.bn(self.up(self.mix(x).relu())).relu()
        return self.fc(self.single(self.last(x)).square().mean((2, 3)))


class Shuffled(nn.Module):
    """Channels in two parts shuffled by a view, in three by the operator; space into channels and back."""

    def __init__(self):
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 9, 3, padding=1)
        self.after, self.last = nn.Conv2d(9, 5, 1), nn.Conv2d(20, 12, 1)
        self.head = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, -1, h, w)
        x = functional.channel_shuffle(self.deep(x), 3)
        x = self.last(functional.pixel_unshuffle(self.after(x), 2)).relu()
        n, c, h, w = x.shape
        x = x.view(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * w)
        return self.head(x).mean((2, 3))


class Transformer(nn.Module):
    """A class token, positions, two blocks of attention whose code says how long a head is, layer scale, MLPs."""

    def __init__(self):
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, 6, 4, stride=4), nn.Parameter(torch.randn(1, 1, 6))
        self.positions = nn.Parameter(torch.randn(1, 5, 6))
        self.norm1, self.qkv, self.project = nn.LayerNorm(6), nn.Linear(6, 3 * 12), nn.Linear(12, 6)
        self.q, self.k, self.v = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(6, 8, bias=False)
        self.norm2, self.back = nn.LayerNorm(6), nn.Linear(8, 6)
        self.norm3, self.up, self.down = nn.RMSNorm(6), nn.Linear(6, 7), nn.Linear(7, 6)
        self.scale, self.head = nn.Parameter(torch.rand(6)), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        x = x + self.project(self.fused(self.norm1(x)))
        x = x + self.back(self.explicit(self.norm2(x)))
        x = x + self.scale * self.down(functional.gelu(self.up(self.norm3(x))))
        return self.head(x[:, 0])

    def fused(self, x: Tensor) -> Tensor:
        n, t, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, -1, 4).permute(2, 0, 3, 1, 4).unbind(0)
        return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, -1)

    def explicit(self, x: Tensor) -> Tensor:
        n, t, _ = x.shape
        q, k, v = (layer(x).view(n, t, -1, 2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        weights = (q @ k.transpose(-2, -1) / 2**0.5).softmax(-1)
        return (weights @ v).transpose(1, 2).reshape(n, t, -1)


class ChannelAttention(nn.Module):
    """Attention whose code says how many heads there are and scales by a constant: a place in every head is a unit."""

    def __init__(self):
        super().__init__()
        self.stem, self.qkv, self.out = nn.Conv2d(3, 5, 3, stride=2), nn.Linear(5, 3 * 8), nn.Linear(8, 6)
        self.norm, self.fc = nn.GroupNorm(1, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        n, t, _ = x.shape
        q, k, v = (part.reshape(n, t, 2, -1) for part in self.qkv(x).chunk(3, dim=-1))
        weights = (torch.einsum("nihd,njhd->nhij", q, k) * 0.5).softmax(-1)
        x = self.out(torch.einsum("nhij,njhd->nihd", weights, v).flatten(2))
        return self.fc(self.norm(x.transpose(1, 2)).square().mean(-1))


class ConvNext(nn.Module):
    """A stem with a norm over channels; depthwise convolution, norm, MLP, layer scale of shape (C, 1, 1)."""

    def __init__(self):
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 6, 2, stride=2), nn.LayerNorm(6)
        self.depth, self.norm = nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.LayerNorm(6)
        self.up, self.down, self.scale = nn.Linear(6, 9), nn.Linear(9, 6), nn.Parameter(torch.rand(6, 1, 1))
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.stem(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y = self.norm(self.depth(x).permute(0, 2, 3, 1))
        y = self.down(functional.gelu(self.up(y))).permute(0, 3, 1, 2)
        return self.head((x + self.scale * y).mean((2, 3)))


NETWORKS = {
    network.__name__: network
    for network in (
        *(Plain, Residual, Dense, Branches, Halves, Separable, Upscaling, Padded, ChannelsLast),
        *(Grouped, Shuffled, Transformer, ChannelAttention, ConvNext),
    )
}
NORMALISED = ("Transformer", "ChannelAttention", "ConvNext")
"""Networks with norms over channels: the cut one equals the masked one only if that leaves the masked channels out."""


def make(factory: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A float64 network in eval mode in which no two channels are alike, norms included."""
    torch.manual_seed(seed)
    model = factory().double().eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)):
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
def build() -> Callable[[str], nn.Module]:
    """One of these networks by name."""
    return lambda name: make(NETWORKS[name])


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
