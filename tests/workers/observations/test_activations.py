"""Statistics of feature maps, by hand and against tensors that hold all images at once."""

import pytest
import torch
from torch import nn

from workers.models import build
from workers.observations.activations import STATISTICS

# Two images of 1 x 2 pixels.
IMAGES = torch.tensor([[1.0, 3.0], [-2.0, 4.0]]).view(2, 1, 1, 2)


@pytest.fixture
def pair():
    """Unit 0 sees the image, unit 1 its negative, both through a ReLU."""
    module = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 2, 1))
    module[0].weight.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    return module


def test_every_statistic_by_hand(observe, pair):
    # Maps of unit 0: (1, 3) and (0, 4); of unit 1: (0, 0) and (2, 0).
    expected = {
        "mean": [(2 + 2) / 2, (0 + 1) / 2],
        "std": [(1 + 2) / 2, (0 + 1) / 2],
        "l1": [(4 + 4) / 2, (0 + 2) / 2],
        "l2": [(10**0.5 + 4) / 2, (0 + 2) / 2],
        "l2_variance": [((4 - 10**0.5) / 2) ** 2, 1],  # of two values: half their distance, squared
        "absolute": [(2 + 2) / 2, (0 + 1) / 2],
        "active": [(1 + 0.5) / 2, (0 + 0.5) / 2],
    }
    observed = observe("activations", pair, IMAGES)
    assert tuple(observed) == STATISTICS
    for statistic, values in expected.items():
        assert observed[statistic]["0"].tolist() == pytest.approx(values, rel=1e-6), statistic


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_the_whole_data_set_counts_however_it_is_cut(observe, batch_size):
    torch.manual_seed(0)
    module = build("plain", {"widths": [4], "in_channels": 1}).eval()
    images = torch.rand(10, 1, 8, 8)
    whole, cut = (observe("activations", module, images, batch_size=size) for size in (10, batch_size))
    for statistic in STATISTICS:
        for name, values in whole[statistic].items():
            torch.testing.assert_close(cut[statistic][name], values, rtol=1e-5, atol=1e-9)


def test_the_last_batch_alone_does_not_decide(observe, pair):
    # An earlier tool scored by what the last batch left behind: here that is the second image alone.
    last = observe("activations", pair, IMAGES[1:])["mean"]["0"]
    assert not torch.equal(observe("activations", pair, IMAGES, batch_size=1)["mean"]["0"], last)


def test_negative_maps_keep_the_sign_of_their_mean(observe):
    module = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.MaxPool2d(1), nn.Conv2d(1, 2, 1))
    module[0].weight.data.fill_(-1)
    observed = observe("activations", module, IMAGES)
    assert observed["mean"]["0"].item() == -1.5
    assert observed["absolute"]["0"].item() == 2.5


def test_a_nearly_constant_map_has_its_small_deviation(observe):
    # 1000 + (0, 1): in single precision the mean square less the squared mean would give noise.
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1))
    nn.init.ones_(module[0].weight)
    nn.init.constant_(module[0].bias, 1000)
    images = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    assert observe("activations", module, images)["std"]["0"].tolist() == pytest.approx([0.5, 0.5], rel=1e-4)


def test_maps_of_one_position_have_no_deviation(observe):
    module = nn.Sequential(nn.Flatten(), nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    observed = observe("activations", module, IMAGES)
    assert observed["std"]["1"].tolist() == [0, 0, 0]
    assert torch.equal(observed["l1"]["1"], observed["absolute"]["1"])


def test_layers_of_a_residual_sum_are_added_up(observe):
    torch.manual_seed(0)
    module = build("resnet", {"widths": [2], "in_channels": 1}).eval()
    images = torch.rand(3, 1, 8, 8)
    with torch.no_grad():
        stem = module.relu(module.bn1(module.conv1(images)))
        block = module.layer1[0]
        branch = block.bn2(block.conv2(block.bn1(block.conv1(stem)).relu()))
    expected = stem.mean((0, 2, 3)) + branch.mean((0, 2, 3))
    torch.testing.assert_close(observe("activations", module, images)["mean"]["conv1"].float(), expected)
