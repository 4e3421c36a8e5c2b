"""Networks that return images: they can be cut, sampled from functions, and exported like classifiers."""

import copy

import pytest
import torch

from workers.channels import find_groups, load_resized, mask, select
from workers.criteria.filters import absolute_sums
from workers.export.graph import check_onnx, write_onnx
from workers.integral.network import IntegralNetwork
from workers.models import build

NETWORKS = [
    ("edsr", {"scale": 2, "num_blocks": 2, "width": 8}),
    ("edsr", {"scale": 3, "num_blocks": 1, "width": 8}),
    ("edsr", {"scale": 4, "num_blocks": 1, "width": 8}),
    ("srcnn", {"kernels": [9, 1, 5], "widths": [12, 8], "in_channels": 3}),
    ("srcnn", {"kernels": [9, 5, 5], "widths": [12, 8], "in_channels": 3}),
]
IMAGES = torch.rand(2, 3, 10, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=NETWORKS, ids=str)
def network(request):
    torch.manual_seed(0)
    model = build(*request.param).eval()
    return model, find_groups(model, IMAGES.shape[1:])


def cut(network):
    """The network without the 30 % of every group's channels that l1 likes least, and with them masked."""
    model, found = network
    scores = absolute_sums(model.state_dict(), found)
    kept = {
        name: each.argsort(descending=True)[: len(each) - round(0.3 * len(each))].sort().values
        for name, each in scores.items()
    }
    small, masked = copy.deepcopy(model), copy.deepcopy(model)
    load_resized(small, select(model.state_dict(), found, kept))
    load_resized(masked, mask(model.state_dict(), found, kept))
    return small, masked


def test_cut_by_30_percent_it_computes_what_the_masked_one_does(network):
    assert not network[1].refused
    small, masked = (each.double() for each in cut(network))
    torch.testing.assert_close(small(IMAGES.double()), masked(IMAGES.double()), rtol=1e-9, atol=1e-9)
    assert sum(each.numel() for each in small.parameters()) < sum(each.numel() for each in masked.parameters())


def test_functions_at_full_size_are_the_network(network):
    model, found = network
    integral = IntegralNetwork(model, found)
    torch.testing.assert_close(integral(IMAGES), model(IMAGES))
    integral.resize({group.name: group.width - 2 for group in found.groups})
    assert integral.export()(IMAGES).shape == model(IMAGES).shape


def test_what_is_left_runs_as_an_onnx_graph(network):
    small, _ = cut(network)
    content = write_onnx(small, IMAGES.shape[1:], any_size=True)
    for images in (IMAGES, IMAGES[:, :, :7, :9]):  # of one size and of another
        assert check_onnx(content, small, images) < 1e-5


def test_of_a_shuffle_all_maps_of_a_channel_are_one_unit():
    model = build("edsr", {"scale": 3, "num_blocks": 1, "width": 4})
    layout = find_groups(model, (3, 6, 6)).tensors["tail.0.0.weight"][0]
    assert layout.units.tolist() == [unit for unit in range(4) for _ in range(9)]
