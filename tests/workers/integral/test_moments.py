"""What folded norms know, by hand."""

import torch
from torch import nn

from workers.channels import find_groups, fold_model
from workers.integral import QUADRATURES, nodes_of
from workers.integral.moments import OutputMoments, folded_moments

PAIRS = [("0", "1")]


def normed():
    """A linear layer of four outputs with a norm, and one that reads them."""
    module = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4, eps=1.0), nn.Linear(4, 1)).eval()
    with torch.no_grad():
        module[1].weight.copy_(torch.tensor([1.0, -2.0, 3.0, 4.0]))
        module[1].bias.copy_(torch.tensor([5.0, 6.0, 7.0, 8.0]))
        module[1].running_var.copy_(torch.tensor([1.0, 1.0, 3.0, 0.0]))
    return module


def test_a_norm_says_mean_and_variance_of_what_it_gives():
    moments = folded_moments(normed(), PAIRS)
    # gamma^2 var / (var + eps): an output that never changes has no variance, whatever its scale.
    torch.testing.assert_close(moments.variances["0"], torch.tensor([0.5, 2.0, 6.75, 0.0]))
    assert moments.means["0"].tolist() == [5, 6, 7, 8]


def test_a_norm_without_scale_and_shift_gives_mean_0_and_variance_1():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, affine=False, eps=0.0), nn.Linear(3, 1)).eval()
    moments = folded_moments(module, PAIRS)
    assert (moments.means["0"].tolist(), moments.variances["0"].tolist()) == ([0, 0, 0], [1, 1, 1])


def test_they_follow_the_channels():
    module = normed()
    moments = folded_moments(module, PAIRS)
    fold_model(module, (2,))
    channel_map = find_groups(module, (2,))
    [name] = channel_map.widths()
    assert moments.select(channel_map, {name: [3, 0]}).means["0"].tolist() == [8, 5]
    nodes = {name: nodes_of(torch.tensor([0.5, 0.5], dtype=torch.float64))}
    merged = moments.resampled(channel_map, nodes, QUADRATURES["means"])
    torch.testing.assert_close(merged.means["0"], torch.tensor([5.5, 7.5]))
    torch.testing.assert_close(merged.variances["0"], torch.tensor([1.25, 3.375]))


def test_they_can_be_stored():
    moments = folded_moments(normed(), PAIRS)
    again = OutputMoments.read(moments.to_bytes())
    assert torch.equal(again.means["0"], moments.means["0"])
    assert torch.equal(again.variances["0"], moments.variances["0"])
