"""Weights that a layer computes from its parameter in every pass."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from workers.channels import find_groups
from workers.channels.proof import prove

SHAPE = (3, 4, 4)


def by_batch_norm(layer):
    rows = layer.weight.reshape(1, layer.out_channels, -1)
    scaled = functional.batch_norm(rows, None, None, (layer.gain * 0.5).view(-1), training=True, eps=1e-6)
    return scaled.reshape_as(layer.weight)


def by_hand(layer):
    variance, mean = torch.var_mean(layer.weight, dim=[1, 2, 3], keepdim=True)
    return layer.gain * (layer.weight - mean) / torch.sqrt(variance + 1e-6)


class Computed(nn.Conv2d):
    def __init__(self, inputs, outputs, compute, **options):
        super().__init__(inputs, outputs, 3, padding=1, **options)
        self.gain, self.compute = nn.Parameter(torch.rand(outputs, 1, 1, 1) + 0.5), compute

    def forward(self, x):
        return self._conv_forward(x, self.compute(self), self.bias)


def network(compute):
    torch.manual_seed(0)
    layers = [Computed(3, 6, compute), nn.ReLU(), Computed(6, 8, compute), nn.ReLU(), Computed(8, 8, compute, groups=4)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)).eval()


def check(model):
    found = find_groups(model, SHAPE)
    proof = prove(model, SHAPE, found, ratio=0.5, generator=torch.Generator().manual_seed(0))
    assert proof.holds(1e-9), proof
    assert proof.change > 1e-6
    return found


@pytest.mark.parametrize("compute", [by_batch_norm, by_hand])
def test_inputs_of_a_standardised_weight_are_normalised(compute):
    found = check(network(compute))
    assert [(group.name, group.width, group.normalised) for group in found.groups] == [("0", 6, True), ("2", 4, False)]
    assert found.applications["2.weight"] == 16
    assert [axis.role for axis in found.tensors["2.weight"]][:2] == ["output", "input"]


def test_a_scaled_weight_has_no_statistics():
    found = check(network(lambda layer: layer.weight * layer.gain))
    assert not any(group.normalised for group in found.groups)


def test_a_weight_with_inputs_where_its_parameter_has_none_is_refused():
    found = find_groups(network(lambda layer: layer.weight + 0.1), SHAPE)
    assert not found.groups
    assert {each.reason for each in found.refused} == {"its weight is computed, not a parameter"}


def test_places_in_a_kernel_are_no_channels():
    found = find_groups(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2)), SHAPE)
    assert [axis.labelled for axis in found.tensors["0.weight"]] == [True, False, False, False]
