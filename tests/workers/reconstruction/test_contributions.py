import torch
from torch import nn

from workers.reconstruction.contributions import contributions, reads, units_of_features


def look(dense, images, compare, smaller=None):
    reference, channel_map = compare(dense, images)
    smaller = dense if smaller is None else smaller
    site = reference.sites[-1]
    return smaller, channel_map, site, reference.sums(smaller, [site], {})[site]


def test_products_by_hand(two_layers, compare):
    dense = two_layers([[1], [2]], [[3, 1], [0, 1]])  # units x and 2 x, which give (3 x, 0) and (2 x, 2 x)
    smaller, channel_map, site, sums = look(dense, [torch.tensor([[[[1.0]]], [[[2.0]]]])], compare)
    units = units_of_features(channel_map, site, [0])
    found = contributions(smaller, site, sums, units, 2)
    # The squares of x add up to 5: (3 x)^2, 3 x 2 x, (2 x)^2 + (2 x)^2.
    assert found.products.tolist() == [[45, 30], [30, 40]]
    assert found.errors.tolist() == [0, 0]


def test_errors_by_hand(two_layers, compare):
    dense, smaller = two_layers([[1], [2]], [[3, 1]]), two_layers([[1], [2]], [[1, 1]])
    _, channel_map, site, sums = look(dense, [torch.tensor([[[[1.0]]], [[[2.0]]]])], compare, smaller)
    found = contributions(smaller, site, sums, units_of_features(channel_map, site, [0]), 2)
    assert found.errors.tolist() == [10, 20]  # 2 x are missing; units give x and 2 x


def test_contributions_add_up_to_the_output_whatever_a_unit_has(compare, images, draw):
    """A unit of a flattened map has an input for each of its positions."""
    dense = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5, bias=False)).eval()
    smaller, channel_map, site, sums = look(dense, images, compare)
    units = units_of_features(channel_map, site, reads(channel_map, site))
    assert units.tolist() == [unit for unit in range(4) for _ in range(36)]
    found = contributions(smaller, site, sums, units, 4)
    torch.testing.assert_close(float(found.products.sum()), sums.energy, rtol=1e-5, atol=0)


def test_a_convolution_in_groups_passes_its_channels_on(compare, images):
    dense = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 2, 1)).eval()
    reference, channel_map = compare(dense, images)
    assert [reads(channel_map, site) for site in reference.sites] == [[], [], [0]]
