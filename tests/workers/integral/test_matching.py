"""Statistics repair: what the layers of small networks write, before and after."""

import copy

import pytest
import torch
from torch import nn

from workers.channels import find_groups, load_resized
from workers.integral import QUADRATURES, nodes_of, resample
from workers.integral.matching import match_statistics

MEANS = QUADRATURES["means"]
INPUTS = torch.randn(64, 3, 6, 6, generator=torch.Generator().manual_seed(0))


def network(norm=False):
    torch.manual_seed(0)
    between = [nn.BatchNorm2d(4)] if norm else []
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=not norm),
        *between,
        nn.ReLU(),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16, 2),
    ).eval()


def halved(dense):
    """Every group merged in pairs; the map and the nodes."""
    channel_map = find_groups(dense, (3, 6, 6))
    nodes = {name: nodes_of(torch.full((2,), 0.5, dtype=torch.float64)) for name in channel_map.widths()}
    smaller = copy.deepcopy(dense)
    load_resized(smaller, resample(dense.state_dict(), channel_map, nodes, MEANS))
    return smaller, channel_map, nodes


def outputs(module, name):
    """What a layer writes, channels first."""
    found = []
    hook = module.get_submodule(name).register_forward_hook(lambda *called: found.append(called[-1]))
    with torch.no_grad():
        module(INPUTS)
    hook.remove()
    return found[0].transpose(0, 1).flatten(1)


def test_every_layer_gets_the_mean_and_the_variance_of_the_channels_that_it_stands_for():
    dense = network()
    smaller, channel_map, nodes = halved(dense)
    match_statistics(smaller, dense, channel_map, nodes, MEANS, INPUTS)
    for name in ("0", "2"):
        found, wanted = outputs(smaller, name), outputs(dense, name)
        torch.testing.assert_close(found.mean(1), wanted.mean(1).reshape(2, 2).mean(1), atol=1e-5, rtol=0)
        variances = wanted.var(1, correction=0).reshape(2, 2).mean(1)
        torch.testing.assert_close(found.var(1, correction=0), variances, atol=1e-5, rtol=0)
    torch.testing.assert_close(outputs(smaller, "5").mean(1), outputs(dense, "5").mean(1), atol=1e-5, rtol=0)


def test_the_dense_network_matches_itself():
    dense = network()
    same = copy.deepcopy(dense)
    match_statistics(same, dense, find_groups(dense, (3, 6, 6)), {}, MEANS, INPUTS)
    torch.testing.assert_close(same(INPUTS), dense(INPUTS))


def test_norms_tell_of_the_smaller_network_what_they_told_of_the_dense_one():
    dense = network(norm=True)
    with torch.no_grad():  # what the norm knows is not what these inputs show
        dense[1].running_mean.copy_(torch.tensor([0.3, -0.2, 0.1, 0.4]))
        dense[1].running_var.copy_(torch.tensor([0.5, 0.5, 2.0, 2.0]))
    smaller, channel_map, nodes = halved(dense)
    before, known = smaller[0].weight.clone(), smaller[1].running_mean.clone()
    match_statistics(smaller, dense, channel_map, nodes, MEANS, INPUTS)
    found, wanted = outputs(smaller, "0"), outputs(dense, "0")
    mean, variance = (each.reshape(2, 2).mean(1) for each in (wanted.mean(1), wanted.var(1, correction=0)))
    factor = (found.var(1, correction=0) / variance).sqrt()
    torch.testing.assert_close(smaller[1].running_var, torch.tensor([0.5, 2.0]) * factor.square())
    torch.testing.assert_close(smaller[1].running_mean, found.mean(1) + (known - mean) * factor, atol=1e-6, rtol=1e-5)
    assert torch.equal(smaller[0].weight, before)  # without a bias


def test_norms_of_the_dense_network_itself_keep_what_they_know():
    dense = network(norm=True)
    same = copy.deepcopy(dense)
    match_statistics(same, dense, find_groups(dense, (3, 6, 6)), {}, MEANS, INPUTS)
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(getattr(same[1], name), getattr(dense[1], name))


def test_a_norm_of_a_channel_that_says_nothing_stays_as_it_is():
    dense = network(norm=True)
    with torch.no_grad():
        dense[0].weight[1].zero_()
    smaller = copy.deepcopy(dense)
    with torch.no_grad():
        smaller[0].weight[0].zero_()
    match_statistics(smaller, dense, find_groups(dense, (3, 6, 6)), {}, MEANS, INPUTS)
    assert smaller[1].running_var.tolist() == pytest.approx([1.0] * 4)


def test_a_layer_that_is_called_twice_is_left_as_it_is():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.again, self.head = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.again(self.again(self.first(x))))

    dense = Twice().eval()
    smaller = copy.deepcopy(dense)
    with torch.no_grad():
        smaller.first.weight.mul_(2)
    match_statistics(smaller, dense, find_groups(dense, (3,)), {}, MEANS, torch.randn(20, 3))
    assert torch.equal(smaller.again.weight, dense.again.weight)
    torch.testing.assert_close(smaller.first.weight, dense.first.weight)


@pytest.mark.parametrize("scale", [0.0, 1e-3])
def test_outputs_are_not_enlarged_without_limit(scale):
    dense = network()
    smaller = copy.deepcopy(dense)
    with torch.no_grad():
        smaller[0].weight.mul_(scale)
    match_statistics(smaller, dense, find_groups(dense, (3, 6, 6)), {}, MEANS, INPUTS)
    assert smaller[0].weight.abs().max() <= 5.001 * scale * dense[0].weight.abs().max()
    assert all(tensor.isfinite().all() for tensor in smaller.state_dict().values())
