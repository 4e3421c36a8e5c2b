"""What layers write: over one pass, and over several."""

from functools import partial

import torch
from torch import nn

from workers.integral.outputs import measure_outputs, pooled

INPUTS = torch.randn(10, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(16, 2))


def layers(module):
    return {name: module[int(name)] for name in ("0", "3")}


def test_they_are_taken_before_others_change_the_outputs_in_place():
    module = network()
    found = measure_outputs(layers(module), lambda: module(INPUTS))
    written = module[0](INPUTS).transpose(0, 1).flatten(1)
    torch.testing.assert_close(found.means["0"], written.mean(1))
    torch.testing.assert_close(found.variances["0"], written.var(1, correction=0))


def test_layers_that_are_not_called_once_are_left_out():
    module = network()
    found = measure_outputs(layers(module), lambda: (module(INPUTS), module[0](INPUTS)))
    assert found.means.keys() == found.variances.keys() == {"3"}


def test_those_of_several_passes_are_those_of_all_samples():
    module = network()
    parts = [measure_outputs(layers(module), partial(module, each)) for each in INPUTS.split([6, 4])]
    found, wanted = pooled(parts, [6, 4]), measure_outputs(layers(module), partial(module, INPUTS))
    for name in ("0", "3"):
        torch.testing.assert_close(found.means[name], wanted.means[name])
        torch.testing.assert_close(found.variances[name], wanted.variances[name])


def test_a_layer_that_one_pass_leaves_out_is_left_out():
    module = network()
    both = measure_outputs(layers(module), partial(module, INPUTS))
    one = measure_outputs({"0": module[0]}, partial(module, INPUTS))
    assert pooled([both, one], [1, 1]).means.keys() == {"0"}
