"""Watch points of feature maps."""

import pytest
import torch
from partial_networks import tiny_classifier
from torch import nn
from torch.nn import functional

from jobs.errors import BadInputError
from workers.channels import find_groups
from workers.models import build
from workers.observations import find_points, watching

SHAPE = (1, 6, 6)
IMAGE = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """conv, norm, and whatever `between` does, before a second convolution."""

    def __init__(self, between):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.relu, self.inplace = nn.ReLU(), nn.ReLU(inplace=True)
        self.last, self.between = nn.Conv2d(4, 2, 1), between
        nn.init.normal_(self.norm.bias, generator=torch.Generator().manual_seed(1))

    def forward(self, x):
        return self.last(self.between(self, self.conv(x)))


def watched_maps(module, image=IMAGE):
    """Layer -> the feature maps at its watch point."""
    channel_map, seen = find_groups(module.eval(), tuple(image.shape[1:])), {}

    def hook(point, maps):
        seen[point.layer] = maps.clone()
        return maps

    points = find_points(module, channel_map, image)
    with torch.no_grad(), watching(points, hook):
        module(image)
    return seen


SAME = {
    "module": lambda net, y: net.relu(net.norm(y)),
    "functional": lambda net, y: functional.relu(net.norm(y)),
    "method": lambda net, y: net.norm(y).relu(),
    "in place": lambda net, y: net.inplace(net.norm(y)),
    "in place, by method": lambda net, y: net.norm(y).relu_(),
    "read twice afterwards": lambda net, y: (z := net.inplace(net.norm(y))) + z,
    "shape asked for": lambda net, y: functional.relu(net.norm(y)).view(len(y), -1, *y.shape[2:]),
}


@pytest.mark.parametrize("way", SAME)
def test_they_are_taken_after_the_norm_and_the_activation(way):
    module = Net(SAME[way])
    with torch.no_grad():
        expected = module.norm.eval()(module.conv(IMAGE)).relu()
    torch.testing.assert_close(watched_maps(module)["conv"], expected)


def test_where_no_norm_and_no_activation_follows_they_are_taken_at_the_layer():
    module = Net(lambda net, y: functional.max_pool2d(y, 2).relu())
    torch.testing.assert_close(watched_maps(module)["conv"], module.conv(IMAGE))


def test_a_norm_that_is_not_the_only_reader_does_not_count():
    module = Net(lambda net, y: net.norm(y) + y)
    torch.testing.assert_close(watched_maps(module)["conv"], module.conv(IMAGE))


def test_a_residual_branch_is_seen_before_the_sum():
    module = build("resnet", {"widths": [4], "in_channels": 1}).eval()
    seen, block = watched_maps(module, torch.rand(1, 1, 8, 8)), module.layer1[0]
    assert seen.keys() == {"conv1", "layer1.0.conv1", "layer1.0.conv2"}
    with torch.no_grad():
        torch.testing.assert_close(seen["layer1.0.conv2"], block.bn2(block.conv2(seen["layer1.0.conv1"])))


def test_channels_of_linear_layers_are_on_the_last_axis():
    module = nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.GELU(), nn.Linear(5, 3))
    torch.testing.assert_close(watched_maps(module)["1"], functional.gelu(module[1](IMAGE.flatten(1))))


def test_what_see_returns_is_what_the_network_goes_on_with():
    module = Net(SAME["in place"]).eval()
    channel_map = find_groups(module, SHAPE)
    points = find_points(module, channel_map, IMAGE)
    with torch.no_grad(), watching(points, lambda point, maps: torch.zeros_like(maps)):
        found = module(IMAGE)
    torch.testing.assert_close(found, module.last.bias.view(1, 2, 1, 1).expand_as(found))


def test_nothing_is_left_on_the_network():
    module = Net(SAME["module"])
    watched_maps(module)
    assert not any(layer._forward_hooks for layer in module.modules())
    assert not module.training
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_group_that_cannot_be_observed_is_an_error():
    class Copying(nn.Module):
        """Can run by a copy of its weight."""

        def __init__(self):
            super().__init__()
            self.conv, self.last, self.copies = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 2, 1), False

        def forward(self, x):
            weight = self.conv.weight.clone() if self.copies else self.conv.weight
            return self.last(functional.conv2d(x, weight, self.conv.bias).relu())

    module = Copying().eval()
    channel_map = find_groups(module, SHAPE)
    module.copies = True
    with pytest.raises(BadInputError, match="group conv cannot be observed: none of conv is called"):
        find_points(module, channel_map, IMAGE)


def test_loops_over_images_and_boxes_do_not_shift_the_points_behind_them():
    module = tiny_classifier()
    channel_map = find_groups(module, (1, 8, 8), parts=["backbone", "head"])
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    points = find_points(module, channel_map, images[:1])
    found, expected = {}, []
    module.head.first.register_forward_hook(lambda _, __, result: expected.append(result.relu()))
    with torch.inference_mode(), watching(points, lambda point, maps: found.setdefault(point.layer, maps)):
        module(images)
    assert {layer: maps.shape[1] for layer, maps in found.items()} == {
        "backbone.stem": 6,
        "backbone.deep": 8,
        "backbone.deeper": 8,
        "head.first": 10,
    }
    torch.testing.assert_close(found["head.first"], expected[0])
    assert len(found["head.first"]) > 5  # more boxes than one image has
