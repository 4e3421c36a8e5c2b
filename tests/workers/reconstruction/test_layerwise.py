import copy

import pytest
import torch
from torch import nn

from workers.channels import restrict
from workers.models import build
from workers.reconstruction import METHODS, own_shares, reconstruct

ZOO = {
    "plain": {"widths": [6, 8]},
    "resnet": {"widths": [4, 6]},
    "densenet": {"layers": 2, "growth": 4},
    "preresnet": {"depth": 11, "channel_selection": True},  # the layers that make a stream have no group at all
}


def reconstructed(dense, images, compare, how, widths=None):
    """Three quarters of every group stay, if nothing else is said."""
    reference, channel_map = compare(dense, images)
    if widths is None:
        widths = {name: width * 3 // 4 for name, width in channel_map.widths().items()}
    smaller = copy.deepcopy(dense)
    kept, refits = reconstruct(smaller, reference, channel_map, widths, METHODS[how], ridge=1e-6)
    return smaller, kept, refits, restrict(channel_map, widths)


@pytest.mark.parametrize("how", METHODS)
def test_one_of_two_equal_channels_goes_and_nothing_is_lost(how, images, compare, draw):
    dense = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3)).eval()
    dense[0].weight.data[2], dense[0].bias.data[2] = dense[0].weight.data[0], dense[0].bias.data[0]
    dense[3].weight.data[:, 2] = dense[3].weight.data[:, 0]  # what they give is equal, too: ThiNet has one factor each
    dense[3].weight.data[:, [1, 3]] *= 50  # the others matter more than either
    smaller, kept, refits, _ = reconstructed(dense, images, compare, how, widths={"0": 3})
    assert kept["0"].tolist() in ([0, 1, 3], [1, 2, 3])
    assert refits[-1].after < 1e-6 < refits[-1].before
    expected = dense(images[0])
    torch.testing.assert_close(smaller(images[0]), expected, rtol=0, atol=2e-3 * expected.abs().max().item())


@pytest.mark.parametrize("how", METHODS)
@pytest.mark.parametrize("network", ZOO)
def test_networks_of_the_zoo_get_the_wanted_widths_and_no_layer_gets_worse(how, network, images, compare, lived):
    dense = lived(build(network, ZOO[network]))
    smaller, kept, refits, expected = reconstructed(dense, images, compare, how)
    assert {name: tuple(each.shape) for name, each in smaller.state_dict().items()} == expected.shapes
    assert {name: len(units) for name, units in kept.items()} == expected.widths()
    assert all(units.diff().gt(0).all() for units in kept.values())
    assert all(refit.after <= refit.before for refit in refits)
    assert any(refit.after < refit.before for refit in refits)
    assert smaller(images[0]).isfinite().all()


class Mobile(nn.Module):
    """Depthwise and grouped convolutions, two halves that are one unit, and a norm over channels."""

    def __init__(self):
        super().__init__()
        self.stem, self.depth, self.point = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 12, 1)
        self.grouped, self.halves = nn.Conv2d(12, 12, 1, groups=4), nn.Conv2d(12, 12, 1)
        self.norm, self.fc = nn.GroupNorm(1, 6), nn.Linear(6, 4)

    def forward(self, x):
        x = self.grouped(self.point(self.depth(self.stem(x).relu()).relu()).relu()).relu()
        left, right = self.halves(x).chunk(2, 1)
        return self.fc(self.norm(left * right.sigmoid()).mean((2, 3)))


@pytest.mark.parametrize("how", METHODS)
def test_every_coupling_that_the_analysis_accepts_can_be_reconstructed(how, images, compare):
    torch.manual_seed(0)
    smaller, kept, refits, expected = reconstructed(Mobile().eval(), images, compare, how)
    assert {name: len(units) for name, units in kept.items()} == {"stem": 6, "point": 3, "halves": 4}
    assert {name: tuple(each.shape) for name, each in smaller.state_dict().items()} == expected.shapes
    assert all(refit.after <= refit.before for refit in refits)
    assert smaller(images[0]).isfinite().all()


class Attending(nn.Module):
    """torch's attention before layers that can be refitted: without some of its heads it is called in another way."""

    def __init__(self):
        super().__init__()
        self.stem, self.attend = nn.Conv2d(3, 8, 3), nn.MultiheadAttention(8, 4, batch_first=True)
        self.hidden, self.fc = nn.Linear(8, 12), nn.Linear(12, 4)

    def forward(self, x):
        tokens = self.stem(x).relu().flatten(2).transpose(1, 2)
        return self.fc(self.hidden(self.attend(tokens, tokens, tokens, need_weights=False)[0]).relu().mean(1))


def test_layers_behind_attention_that_loses_heads_are_refitted(images, compare):
    torch.manual_seed(0)
    smaller, _, refits, expected = reconstructed(Attending().eval(), images, compare, "thinet")
    assert {name: tuple(each.shape) for name, each in smaller.state_dict().items()} == expected.shapes
    assert smaller.attend.num_heads < 4
    assert [refit.layer for refit in refits] == ["stem", "hidden", "fc"]  # not those inside of attention
    assert all(refit.after <= refit.before for refit in refits)


def test_thinet_changes_what_a_unit_gives_by_one_factor(images, compare, lived):
    dense = lived(build("plain", ZOO["plain"]))
    widths = {"features.0": 2, "features.4": 4}
    smaller, kept, *_ = reconstructed(dense, images, compare, "thinet", widths=widths)
    reader = dense.features[4]
    first, second = kept["features.0"], kept["features.4"]
    factors = smaller.features[4].weight / reader.weight[second][:, first]
    assert factors.std((0, 2, 3)).max() < 1e-6 < 1e-4 < factors.std()
    assert torch.equal(smaller.features[1].bias, dense.features[1].bias[first])


@pytest.mark.parametrize("how", METHODS)
def test_it_repeats(how, images, lived, compare, draw):
    dense = lived(build("plain", ZOO["plain"]))
    states = []
    for _ in range(2):
        draw.manual_seed(3)
        states.append(reconstructed(dense, images, compare, how)[0].state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_group_that_only_a_far_too_wide_layer_reads_keeps_the_units_that_own_most(compare, draw):
    dense = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.Flatten(), nn.Linear(4 * 64 * 64, 2)).eval()
    dense[0].weight.data *= torch.tensor([1.0, 9, 1, 9])[:, None, None, None]
    _, kept, *_ = reconstructed(dense, [torch.rand(1, 3, 64, 64, generator=draw)], compare, "lasso", widths={"0": 2})
    assert kept["0"].tolist() == [1, 3]


def test_what_a_unit_owns_is_a_part_of_its_tensors(two_layers, compare):
    dense = two_layers([[1], [3]], [[2, 1]])
    _, channel_map = compare(dense, [torch.ones(1, 1, 1, 1)])
    shares = own_shares(dense.state_dict(), channel_map)["0"]
    assert shares.tolist() == pytest.approx([1 / 10 + 4 / 5, 9 / 10 + 1 / 5])
