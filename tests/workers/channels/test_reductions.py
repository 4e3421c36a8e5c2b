"""Statistics that the network's own code takes over channels, and what it divides by."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from workers.channels import find_groups, mask
from workers.channels.proof import prove

SHAPE = (3, 8, 8)


class Network(nn.Module):
    """A stem of 12 channels, a body given as a function of (self, x), and a head."""

    def __init__(self, body, read=12, **tensors):
        super().__init__()
        self.stem, self.head, self.body = nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(read, 4, 1), body
        self.scale, self.shift = nn.Parameter(torch.rand(12, 1, 1)), nn.Parameter(torch.rand(12, 1, 1))
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)

    def forward(self, x):
        return self.head(self.body(self, self.stem(x))).mean((2, 3))


def analysed(model):
    """The map; that the cut network is the one without the channels is checked on the way."""
    torch.manual_seed(0)
    found = find_groups(model, SHAPE)
    proof = prove(model, SHAPE, found, ratio=0.5, generator=torch.Generator().manual_seed(0))
    assert proof.holds(1e-9), proof
    return found


def layer_norm(self, x):
    d = x - x.mean(1, keepdim=True)
    return self.scale * d / (d.pow(2).mean(1, keepdim=True) + 1e-6).sqrt() + self.shift


def response_norm(self, x):  # ConvNeXt V2
    length = x.norm(dim=(2, 3), keepdim=True)
    return self.scale * (x * (length / (length.mean(1, keepdim=True) + 1e-6))) + self.shift + x


def gated(self, x):  # spatial attention
    best = x.max(1, keepdim=True)[0]
    return x * torch.cat([x.mean(1, keepdim=True), best, x.amin(1, keepdim=True)], 1).sum(1, keepdim=True).sigmoid()


def standardised(self, x):
    var, mean = torch.var_mean(x, (1, 2, 3), keepdim=True)
    return (x - mean) * torch.rsqrt(var + 1e-5)


@pytest.mark.parametrize(
    "body",
    [
        *(layer_norm, response_norm, gated, standardised),
        lambda self, x: x * (1 / x.std(1, keepdim=True)),
        lambda self, x: x.sigmoid() * x.sigmoid().sum(1, keepdim=True),  # a removed channel would add 1/2
        lambda self, x: x - x.logsumexp(1, keepdim=True),
        lambda self, x: layer_norm(self, torch.where(x > 0, x, torch.zeros_like(x))),
        lambda self, x: layer_norm(self, x.masked_fill(torch.bitwise_and(~(x > 0), x.ne(1)), 0.5)),
        lambda self, x: layer_norm(self, x.clone().masked_fill_(torch.logical_not(x > 0), 0.5)),
        lambda self, x: x * (x > 0).float().mean(1, keepdim=True),
        lambda self, x: x / (1 + (x > 0).long().sum(1, keepdim=True)),
        lambda self, x: x / torch.ones_like(x).sum(1, keepdim=True).sqrt(),
        lambda self, x: x * x.sign().mean(1, keepdim=True),
    ],
)
def test_statistics_over_channels_are_marked(body):
    (group,) = analysed(Network(body)).groups
    assert (group.name, group.width, group.normalised) == ("stem", 12, True)


@pytest.mark.parametrize(
    "body",
    [
        lambda self, x: self.scale * (x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)),  # SSD
        lambda self, x: functional.normalize(x, dim=1),
    ],
)
def test_zeros_add_nothing_to_a_sum_and_to_a_length(body):
    (group,) = analysed(Network(body)).groups
    assert (group.width, group.normalised) == (12, False)


class TestDivision:
    @pytest.mark.parametrize(
        "body",
        [
            lambda self, x: (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True) + 1e-5).sqrt(),
            lambda self, x: x / (1 + x.abs()),
            lambda self, x: x * x.exp().pow(-0.5),
        ],
    )
    def test_by_what_is_positive_without_a_channel(self, body):
        assert analysed(Network(body)).widths() == {"stem": 12}

    @pytest.mark.parametrize(
        "body",
        [
            lambda self, x: x / (x.abs() - 1e-3),
            lambda self, x: x / x.var((2, 3), keepdim=True),
            lambda self, x: x / (x.relu() + self.scale.sum()),
            lambda self, x: x.relu().pow(-1),
        ],
    )
    def test_by_what_may_be_zero_is_refused(self, body):
        found = find_groups(Network(body), SHAPE)
        assert not found.groups
        assert found.refused[0].reason == "divides by channels that may be zero where they are removed"

    def test_a_mask_puts_ones_into_stored_variances(self):
        model = Network(lambda self, x: x * (self.scale / self.spread.sqrt()), spread=torch.rand(12, 1, 1) + 0.5)
        found = analysed(model)
        assert found.divisors == {"spread"}
        masked = mask(model.state_dict(), found, {"stem": range(11)})
        assert (float(masked["spread"][11, 0, 0]), float(masked["scale"][11, 0, 0])) == (1, 0)
        assert type(found).from_json(found.to_json()).divisors == {"spread"}

    def test_an_epsilon_makes_that_unnecessary(self):
        model = Network(lambda self, x: x * torch.rsqrt(self.spread + 1e-5), spread=torch.rand(12, 1, 1) + 0.5)
        assert analysed(model).divisors == frozenset()


@pytest.mark.parametrize(
    ("body", "operator"),
    [
        (lambda self, x: x * (x.max(1, keepdim=True)[1] > 3), "aten.max.dim"),
        (lambda self, x: functional.local_response_norm(x, 3), "aten.avg_pool3d.default"),
        (
            lambda self, x: x * functional.conv1d(x.mean((2, 3))[:, None], self.kernel, padding=1)[:, 0, :, None, None],
            "aten.conv1d.default",
        ),
    ],
    ids=["argmax", "local response norm", "efficient channel attention"],
)
def test_what_depends_on_the_numbers_of_channels_is_refused_by_name(body, operator):
    found = find_groups(Network(body, kernel=torch.rand(1, 1, 3)), SHAPE)
    assert not found.groups
    assert found.refused[0].operator == operator


def test_a_fixed_blur_hands_channels_on():
    def blur(self, x):
        return functional.conv2d(x, self.kernel.expand(x.shape[1], 1, 3, 3), stride=2, groups=x.shape[1])

    assert analysed(Network(blur, kernel=torch.rand(1, 1, 3, 3))).widths() == {"stem": 12}
