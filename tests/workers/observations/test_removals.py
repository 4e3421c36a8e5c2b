"""The loss without a unit, against the network that pruning makes."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from jobs.errors import CancelledError
from workers.channels import find_groups, load_resized, select
from workers.models import build
from workers.observations import OBSERVATIONS


def test_by_hand(observe):
    # Logits (x, 2x) at x = 1, label 0: -log softmax. Without unit 0 they are (0, 2), without unit 1 (1, 0).
    module = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    module[1].weight.data = torch.tensor([[1.0], [2.0]])
    module[3].weight.data = torch.eye(2)
    logits = torch.tensor([[1.0, 2.0], [0.0, 2.0], [1.0, 0.0]], dtype=torch.float64)
    whole, *without = (-logits.log_softmax(1)[:, 0]).tolist()
    changes = observe("removals", module, torch.ones(1, 1, 1, 1), [0])["loss_change"]["1"].tolist()
    assert changes == pytest.approx([loss - whole for loss in without])
    assert changes[1] < 0 < changes[0]  # unit 1 speaks for the wrong class


@pytest.mark.parametrize("network", ["resnet", "densenet"])
def test_it_is_the_loss_of_the_network_that_is_cut(observe, network):
    torch.manual_seed(0)
    arguments = {"resnet": {"widths": [3, 4]}, "densenet": {"growth": 3, "layers": 2}}[network]
    module = build(network, {**arguments, "in_channels": 1, "num_classes": 4}).eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):  # a shift that is left behind would be noticed
            nn.init.normal_(layer.bias)
            nn.init.normal_(layer.running_mean)
    images, labels = torch.rand(3, 1, 8, 8), [0, 1, 2]
    observed = observe("removals", module, images, labels)["loss_change"]
    channel_map = find_groups(module, (1, 8, 8))

    def loss(network):
        with torch.no_grad():
            return functional.cross_entropy(network(images).double(), torch.tensor(labels)).item()

    for group in channel_map.groups[:3]:
        for unit in (0, group.width - 1):
            cut = copy.deepcopy(module)
            others = [other for other in range(group.width) if other != unit]
            load_resized(cut, select(module.state_dict(), channel_map, {group.name: others}))
            assert observed[group.name][unit].item() == pytest.approx(loss(cut) - loss(module), abs=1e-5)


def test_a_unit_that_is_alone_cannot_go(observe):
    module = nn.Sequential(nn.Flatten(), nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2))
    assert observe("removals", module, torch.ones(1, 1, 1, 1), [0])["loss_change"]["1"].tolist() == [0]


def test_it_stops_between_two_units(batches):
    module = nn.Sequential(nn.Flatten(), nn.Linear(1, 9), nn.ReLU(), nn.Linear(9, 2)).eval()
    answers = iter([False, False, False, True])  # one batch, then unit by unit
    given = batches(torch.ones(1, 1, 1, 1), [0], should_stop=lambda: next(answers))
    with pytest.raises(CancelledError):
        OBSERVATIONS["removals"](module, find_groups(module, (1, 1, 1)), given)
