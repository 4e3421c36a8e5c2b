"""The variance of merged channels in closed form, for inputs that are uncorrelated and of variance 1."""

import math

import pytest
import torch
from torch import nn

from workers.channels import find_groups, load_resized
from workers.integral import QUADRATURES, nodes_of, resample
from workers.integral.moments import OutputMoments
from workers.integral.variance import VarianceRepair

MEANS = QUADRATURES["means"]


def moments(**layers):
    """Of layers by name: mean and variance of each output."""
    named = {name.removeprefix("_"): each for name, each in layers.items()}
    return OutputMoments(
        means={name: torch.tensor(each[0]) for name, each in named.items()},
        variances={name: torch.tensor(each[1]) for name, each in named.items()},
    )


def repaired(module, shape, known, quadrature=MEANS, kept=(), pieces=1):
    """The tensors with every group merged into so many channels: resampled alone, and repaired, too."""
    state, channel_map = module.state_dict(), find_groups(module, shape)
    cells = torch.full((pieces,), 1 / pieces, dtype=torch.float64)
    nodes = dict.fromkeys(channel_map.widths(), nodes_of(cells))
    plain = resample(state, channel_map, nodes, quadrature)
    return plain, VarianceRepair(state, channel_map, known, kept)(plain, nodes, quadrature)


def linear(*rows, bias=(1.0, 3.0)):
    """Outputs with these weights, which another layer adds up."""
    module = nn.Sequential(nn.Linear(len(rows[0]), len(rows)), nn.Linear(len(rows), 1)).eval()
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor(rows))
        module[0].bias.copy_(torch.tensor(bias))
    return module


def test_uncorrelated_channels_lose_a_factor_of_root_2_and_get_it_back():
    plain, fixed = repaired(linear([2.0, 0.0], [0.0, 2.0]), (2,), moments(_0=([1.0, 3.0], [4.0, 4.0])))
    assert plain["0.weight"].norm().item() == pytest.approx(2 / math.sqrt(2))
    torch.testing.assert_close(fixed["0.weight"], math.sqrt(2) * plain["0.weight"])
    assert fixed["0.weight"].norm().item() == pytest.approx(2)  # the deviation of the output


def test_identical_channels_stay_as_they_are():
    plain, fixed = repaired(linear([2.0, 1.0], [2.0, 1.0]), (2,), moments(_0=([1.0, 3.0], [5.0, 5.0])))
    torch.testing.assert_close(fixed, plain)


def test_channels_of_correlation_rho():
    # v = (1 + 1 + 2 rho) / 4 with rho = 0.6, and t = 1.
    plain, fixed = repaired(linear([1.0, 0.0], [0.6, 0.8]), (2,), moments(_0=([1.0, 3.0], [1.0, 1.0])))
    torch.testing.assert_close(fixed["0.weight"], plain["0.weight"] / math.sqrt(0.8))


def test_the_mean_is_kept():
    # With inputs of mean m the output's mean is w m + b: 2 for the average of means 1 and 3, before and after.
    module = linear([2.0, 0.0], [0.0, 2.0], bias=(-1.0, 1.0))
    plain, fixed = repaired(module, (2,), moments(_0=([1.0, 3.0], [4.0, 4.0])))
    mean = torch.tensor([1.0, 1.0])
    for state in (plain, fixed):
        assert (state["0.weight"] @ mean + state["0.bias"]).item() == pytest.approx(2)


def test_channels_that_cancel_each_other_are_not_enlarged_without_limit():
    plain, fixed = repaired(linear([1.0, 0.001], [-1.0, 0.001]), (2,), moments(_0=([0.0, 0.0], [1.0, 1.0])))
    torch.testing.assert_close(fixed["0.weight"], 5 * plain["0.weight"])


def test_a_channel_without_variance_stays_a_constant():
    _, fixed = repaired(linear([0.0, 0.0], [0.0, 0.0]), (2,), moments(_0=([1.0, 3.0], [0.0, 0.0])))
    assert fixed["0.weight"].tolist() == [[0, 0]]
    assert fixed["0.bias"].item() == 2


@pytest.mark.parametrize("quadrature", ["product", "midpoint", "means"])
def test_any_sampling_gives_the_variance_that_is_wanted(quadrature):
    generator = torch.Generator().manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(6, 9, generator=generator))
    module = linear(*rows.tolist(), bias=[0.0] * 6)
    _, fixed = repaired(module, (9,), moments(_0=([0.0] * 6, [1.0] * 6)), QUADRATURES[quadrature], pieces=4)
    torch.testing.assert_close(fixed["0.weight"].norm(dim=1), torch.ones(4))


def test_merged_inputs_add_up_in_the_layer_that_reads_them():
    # Two inputs of variance 1 with weights 1 and 1 have variance 2 together, one with weight 2 has 4.
    module = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1), nn.Linear(1, 1)).eval()
    with torch.no_grad():
        module[1].weight.fill_(1.0)
    plain, fixed = repaired(module, (1,), moments(_1=([0.0], [2.0])))
    assert plain["1.weight"].item() == 2
    assert fixed["1.weight"].item() == pytest.approx(math.sqrt(2))


def test_merged_inputs_that_were_equal_change_nothing():
    module = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1), nn.Linear(1, 1)).eval()
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[1].weight.fill_(1.0)
    plain, fixed = repaired(module, (1,), moments(_0=([0.0, 0.0], [1.0, 1.0]), _1=([0.0], [4.0])))
    torch.testing.assert_close(fixed["1.weight"], plain["1.weight"])


class Residual(nn.Module):
    """Two layers that write to one stream."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1)
        with torch.no_grad():
            self.a.weight.copy_(torch.eye(2))
            self.b.weight.fill_(1.0)

    def forward(self, x):
        return self.head(self.a(x) + self.b(x))


def test_every_writer_of_a_stream_has_its_own_factor():
    plain, fixed = repaired(Residual().eval(), (2,), moments(a=([0.0, 0.0], [1.0, 1.0]), b=([0.0, 0.0], [2.0, 2.0])))
    torch.testing.assert_close(fixed["a.weight"], math.sqrt(2) * plain["a.weight"])
    torch.testing.assert_close(fixed["b.weight"], plain["b.weight"])


def test_layers_without_a_norm_are_left_as_they_are():
    plain, fixed = repaired(Residual().eval(), (2,), moments(a=([0.0, 0.0], [1.0, 1.0])))
    assert all(torch.equal(fixed[name], plain[name]) for name in ("b.weight", "b.bias", "head.weight", "head.bias"))


def convolutions(groups, taps):
    """A 1x1 convolution, a grouped one of width 3 with these taps for each output, and one that reads it."""
    first, last = nn.Conv1d(1, len(taps), 1), nn.Conv1d(len(taps), 1, 1)
    grouped = nn.Conv1d(len(taps), len(taps), 3, groups=groups)
    with torch.no_grad():
        grouped.weight.copy_(torch.tensor(taps))
    return nn.Sequential(first, grouped, last).eval()


def test_depthwise_channels_are_correlated_as_their_taps_are():
    module = convolutions(2, [[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])
    plain, fixed = repaired(module, (1, 5), moments(_1=([0.0, 0.0], [1.0, 1.0])))
    torch.testing.assert_close(fixed["1.weight"], math.sqrt(2) * plain["1.weight"])


def test_every_output_of_a_grouped_layer_has_its_own_factor():
    # The two parts merge: their first outputs have equal slices, their second ones orthogonal ones.
    one, other = [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    module = convolutions(2, [one, other, one, one])
    plain, fixed = repaired(module, (1, 5), moments(_1=([0.0] * 4, [1.0] * 4)))
    factors = fixed["1.weight"].flatten(1).norm(dim=1) / plain["1.weight"].flatten(1).norm(dim=1)
    torch.testing.assert_close(factors, torch.tensor([1.0, math.sqrt(2)]))


def test_a_norm_that_was_kept_gets_the_variance_of_its_merged_input():
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, eps=0.0), nn.Linear(2, 1)).eval()
    with torch.no_grad():
        module[0].weight.copy_(2 * torch.eye(2))
        module[1].running_var.fill_(4.0)
    plain, fixed = repaired(module, (2,), moments(), kept=[("0", "1")])
    assert (plain["1.running_var"].item(), fixed["1.running_var"].item()) == (4, 2)
    assert all(torch.equal(fixed[name], each) for name, each in plain.items() if name != "1.running_var")


def test_nodes_get_a_gradient_through_the_repair():
    module = linear([1.0, 0.0], [0.6, 0.8], [0.0, 1.0], bias=(0.0, 0.0, 0.0))
    state, channel_map = module.state_dict(), find_groups(module, (2,))
    [name] = channel_map.widths()
    repair = VarianceRepair(state, channel_map, moments(_0=([0.0] * 3, [1.0] * 3)))
    nodes = {name: torch.tensor([0.25, 0.75], dtype=torch.float64, requires_grad=True)}
    fixed = repair(resample(state, channel_map, nodes, MEANS), nodes, MEANS)
    torch.autograd.backward(fixed["0.weight"].sum())
    assert nodes[name].grad.isfinite().all()
    assert nodes[name].grad.abs().sum() > 0


def test_a_network_at_full_size_computes_the_same():
    module = linear([1.0, 0.0], [0.6, 0.8])
    inputs = torch.tensor([[1.0, 2.0]])
    expected = module(inputs)
    _, fixed = repaired(module, (2,), moments(_0=([1.0, 3.0], [1.0, 1.0])), pieces=2)
    load_resized(module, fixed)
    torch.testing.assert_close(module(inputs), expected)
