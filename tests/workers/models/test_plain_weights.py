"""Weights that are computed in every pass become plain ones."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from workers.channels import find_groups
from workers.channels.fresh import build_resized
from workers.models import with_plain_weights

SHAPE = (3, 8, 8)
WAYS = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "old spectral norm": spectral_norm,
}


def network(way):
    torch.manual_seed(0)
    return nn.Sequential(way(nn.Conv2d(3, 6, 3)), nn.ReLU(), way(nn.Conv2d(6, 4, 3)))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_they_are_what_was_computed_and_their_channels_may_go(way):
    model, image = network(way).eval(), torch.rand(2, *SHAPE)
    expected = model(image)
    plain = with_plain_weights(model)
    assert sorted(plain.state_dict()) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    assert all(type(layer) in (nn.Conv2d, nn.ReLU) for layer in plain)
    torch.testing.assert_close(plain(image), expected)
    assert find_groups(plain, SHAPE).widths() == {"0": 6}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_the_old_weight_norm_too():
    assert find_groups(with_plain_weights(network(weight_norm)), SHAPE).widths() == {"0": 6}


def test_before_that_they_are_refused_by_name():
    found = find_groups(network(parametrizations.weight_norm), SHAPE)
    assert not found.groups
    assert {layer.partition(".")[0] for group in found.refused for layer in group.layers} == {"0", "2"}


def test_a_network_can_be_built_at_other_widths():
    shapes = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "2.weight": (4, 4, 3, 3), "2.bias": (4,)}
    small = build_resized(lambda: with_plain_weights(network(parametrizations.weight_norm)), shapes)
    assert {name: tuple(each.shape) for name, each in small.state_dict().items()} == shapes
    assert small(torch.rand(1, *SHAPE)).shape == (1, 4, 4, 4)
