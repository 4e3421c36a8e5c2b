"""Running statistics of batch norms are functions, too."""

import copy

import torch
from torch import nn

from workers.integral.network import IntegralNetwork


def test_statistics_follow_passes_at_full_size(make, images):
    module, channel_map = make("residual")
    integral, ordinary = IntegralNetwork(module, channel_map).train(), copy.deepcopy(module).train()
    integral(images)
    ordinary(images)
    assert all(torch.equal(a, b) for a, b in zip(integral.functions.buffers(), ordinary.buffers(), strict=True))


def test_statistics_at_samples_become_those_of_the_functions(residual, images):
    name = "bn1.running_mean"
    with torch.no_grad():
        residual.functions.get_buffer(name).fill_(5.0)
    residual.train()
    exported = residual.export().train()
    for _ in range(60):  # each takes a tenth of what is left
        residual(images)
        exported(images)
    wanted = exported.get_buffer(name)
    found = residual.eval().export().get_buffer(name)
    assert float((found - wanted).abs().max()) < 0.1 * float((wanted - 5.0).abs().max())


def test_a_network_in_evaluation_mode_learns_no_statistics(residual, images):
    before = {name: each.clone() for name, each in residual.functions.named_buffers()}
    residual.eval()(images)
    assert all(torch.equal(residual.functions.get_buffer(name), each) for name, each in before.items())


def test_a_frozen_norm_uses_sampled_statistics(residual, images):
    for layer in residual.train().functions.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    found = residual(images)
    torch.testing.assert_close(found, residual.eval()(images), rtol=1e-5, atol=1e-6)
