import torch
from torch import nn

from workers.channels import find_groups
from workers.models import build
from workers.observations import find_points, sum_per_unit

SHAPE = (1, 8, 8)
IMAGE = torch.zeros(1, *SHAPE)


def test_a_unit_of_several_channels_has_their_sum():
    module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.PixelShuffle(2), nn.ReLU(), nn.Conv2d(2, 3, 1)).eval()
    channel_map = find_groups(module, SHAPE)  # two units of four channels
    points = find_points(module, channel_map, IMAGE)
    values = torch.arange(8.0)
    assert sum_per_unit(channel_map, [(points[0], values)])["0"].tolist() == [0 + 1 + 2 + 3, 4 + 5 + 6 + 7]


def test_several_layers_of_a_group_are_summed():
    module = build("resnet", {"widths": [2], "in_channels": 1}).eval()
    channel_map = find_groups(module, SHAPE)
    points = find_points(module, channel_map, IMAGE)
    values = {"conv1": [1.0, 2.0], "layer1.0.conv1": [10.0, 20.0], "layer1.0.conv2": [100.0, 200.0]}
    sums = sum_per_unit(channel_map, [(point, torch.tensor(values[point.layer])) for point in points])
    assert {name: each.tolist() for name, each in sums.items()} == {"conv1": [101, 202], "layer1.0.conv1": [10, 20]}
