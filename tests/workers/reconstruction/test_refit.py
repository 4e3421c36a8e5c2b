import pytest
import torch
from torch import nn

from workers.reconstruction import selection
from workers.reconstruction.refit import refit_weights, ridge_regression


def test_ridge_regression_by_hand():
    gram, moments = torch.tensor([[[2.0, 0], [0, 4]]]).double(), torch.tensor([[[2.0], [8]]]).double()
    # The mean of the diagonal is 3: (2 + 0.5 * 3) d = 2 and (4 + 1.5) d = 8.
    assert ridge_regression(gram, moments, 0.5, 2).flatten().tolist() == pytest.approx([2 / 3.5, 8 / 5.5])
    # With the second unknown free the mean is that of the first alone: (2 + 1) d = 2 and 4 d = 8.
    assert ridge_regression(gram, moments, 0.5, 1).flatten().tolist() == pytest.approx([2 / 3, 2])


def test_an_input_that_is_always_zero_changes_nothing():
    assert ridge_regression(torch.zeros(1, 2, 2).double(), torch.zeros(1, 2, 1).double(), 0.1, 2).tolist() == [
        [[0], [0]]
    ]


def refit(dense, images, compare, cut, kept, ridge=1e-9):
    """The last layer of a network of which these units were kept, refitted."""
    reference, channel_map = compare(dense, images)
    smaller = cut(dense, channel_map, kept)
    site = reference.sites[-1]
    sums = reference.sums(smaller, [site], selection(channel_map, kept))[site]
    return smaller, refit_weights(smaller, site, sums, ridge=ridge)


def test_what_follows_from_the_kept_channel_is_made_up_for(two_layers, compare, cut):
    dense = two_layers([[1], [3]], [[2, 1]])  # x -> (x, 3 x) -> 5 x
    images = [torch.tensor([[[[1.0]]], [[[2.0]]]])]
    smaller, found = refit(dense, images, compare, cut, {"0": torch.tensor([0])})
    assert smaller[1].weight.item() == pytest.approx(5)
    assert found.before == pytest.approx(45 / 125)  # 2 x instead of 5 x
    assert found.after == pytest.approx(0, abs=1e-12)


def test_a_constant_goes_into_the_bias(two_layers, compare, cut):
    dense = two_layers([[0], [1]], [[7, 1]])
    dense[0].bias = nn.Parameter(torch.tensor([1.0, 0.0]))  # x -> (1, x) -> 7 + x
    dense[1].bias = nn.Parameter(torch.zeros(1))
    images = [torch.tensor([[[[1.0]]], [[[2.0]]]])]
    smaller, _ = refit(dense, images, compare, cut, {"0": torch.tensor([1])})
    assert smaller[1].bias.item() == pytest.approx(7)
    assert smaller[1].weight.item() == pytest.approx(1)


def test_without_a_bias_of_its_own_it_goes_into_that_of_the_norm(two_layers, compare, cut):
    dense = two_layers([[0], [1]], [[7, 1]])
    dense[0].bias = nn.Parameter(torch.tensor([1.0, 0.0]))
    norm = nn.BatchNorm2d(1, eps=0)
    norm.running_var.fill_(4)  # x -> (1, x) -> 7 + x -> (7 + x) / 2
    images = [torch.tensor([[[[1.0]]], [[[2.0]]]])]
    dense = nn.Sequential(*dense, norm).eval()
    smaller, found = refit(dense, images, compare, cut, {"0": torch.tensor([1])})
    assert (smaller[2].bias.item(), smaller[1].weight.item()) == pytest.approx((3.5, 1))
    assert found.after == pytest.approx(0, abs=1e-12)


def test_weights_behind_a_norm_are_divided_by_its_scale(two_layers, compare, cut):
    norm = nn.BatchNorm2d(1, eps=0)
    norm.running_var.fill_(4)
    norm.weight.data.fill_(-3)
    dense = nn.Sequential(*two_layers([[1], [3]], [[2, 1]]), norm).eval()
    images = [torch.tensor([[[[1.0]]], [[[2.0]]]])]
    smaller, _ = refit(dense, images, compare, cut, {"0": torch.tensor([0])})
    assert smaller[1].weight.item() == pytest.approx(5)  # as without a norm


def test_a_channel_that_its_norm_all_but_switches_off_stays(two_layers, compare, cut):
    norm = nn.BatchNorm2d(2, eps=0)
    norm.weight.data = torch.tensor([1.0, 1e-4])
    dense = nn.Sequential(*two_layers([[1], [3]], [[2, 1], [2, 1]]), norm).eval()
    images = [torch.tensor([[[[1.0]]], [[[2.0]]]])]
    smaller, _ = refit(dense, images, compare, cut, {"0": torch.tensor([0])})
    assert smaller[1].weight.flatten().tolist() == pytest.approx([5, 2])


@pytest.mark.parametrize("groups", [2, 4])
def test_blocks_of_a_convolution_in_groups_are_refitted_each_by_itself(images, compare, draw, groups):
    dense = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=groups), nn.Conv2d(4, 2, 1)).eval()
    reference, _ = compare(dense, images)
    other = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=groups), nn.Conv2d(4, 2, 1)).eval()
    other[0].load_state_dict(dense[0].state_dict())
    site = reference.sites[1]
    found = refit_weights(other, site, reference.sums(other, [site], {})[site], ridge=1e-9)
    assert found.after < 1e-6 < found.before
    torch.testing.assert_close(other[1].weight, dense[1].weight, rtol=1e-3, atol=1e-3)
