"""The loss without a unit, against the network that pruning makes."""

import copy

import pytest
import torch
from small_detectors import images, small_detector, small_map, targets
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from jobs.errors import CancelledError
from workers.channels import find_groups, load_resized, mask, select
from workers.data import Split
from workers.models import build
from workers.objectives.detection import objective as detection
from workers.observations import OBSERVATIONS, Batches


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


class Stream(nn.Module):
    """Rows of an image as tokens; a residual stream that is read through norms alone, as a transformer's is."""

    def __init__(self, norm):
        super().__init__()
        self.embed, self.norm = nn.Linear(8, 5), norm(5)
        self.up, self.down = nn.Linear(5, 6), nn.Linear(6, 5)
        self.last, self.head = norm(5), nn.Linear(5, 4)

    def forward(self, images):
        tokens = self.embed(images.squeeze(1))
        tokens = tokens + self.down(functional.gelu(self.up(self.norm(tokens))))
        return self.head(self.last(tokens).mean(1))


NETWORKS = {
    "resnet": lambda: build("resnet", {"widths": [3, 4], "in_channels": 1, "num_classes": 4}),
    "densenet": lambda: build("densenet", {"growth": 3, "layers": 2, "in_channels": 1, "num_classes": 4}),
    "group norms over all channels": lambda: build(
        "plain", {"widths": [3, 4], "norm": "layer", "in_channels": 1, "num_classes": 4}
    ),
    "layer norms": lambda: Stream(nn.LayerNorm),
    "RMS norms": lambda: Stream(nn.RMSNorm),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_it_is_the_loss_of_the_network_that_is_cut(observe, network):
    torch.manual_seed(0)
    module = NETWORKS[network]().eval()
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
    assert any(group.normalised for group in channel_map.groups) == ("norms" in network)


def test_a_unit_that_is_alone_cannot_go(observe):
    module = nn.Sequential(nn.Flatten(), nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2))
    assert observe("removals", module, torch.ones(1, 1, 1, 1), [0])["loss_change"]["1"].tolist() == [0]


def test_it_stops_between_two_units(batches):
    module = nn.Sequential(nn.Flatten(), nn.Linear(1, 9), nn.ReLU(), nn.Linear(9, 2)).eval()
    answers = iter([False, False, False, True])  # one batch, then unit by unit
    given = batches(torch.ones(1, 1, 1, 1), [0], should_stop=lambda: next(answers))
    with pytest.raises(CancelledError):
        OBSERVATIONS["removals"](module, find_groups(module, (1, 1, 1)), given)


def test_a_detector_is_replayed_although_it_looks_at_other_boxes():
    module, channel_map = small_detector(), small_map()
    split = Split(images=images(1), targets=targets(1))
    batches = Batches(split, detection(), 1, device=torch.device("cpu"), labelled=True)
    observed = OBSERVATIONS["removals"](module, channel_map, batches)["loss_change"]

    def loss(state):
        with torch.no_grad():
            return float(detection().loss(functional_call(module, state, (images(1), targets(1))), targets(1)))

    for name in ("backbone.conv1", "roi_heads.box_head.layer4.0.conv1"):
        others = [unit for unit in range(channel_map.widths()[name]) if unit != 1]
        cut = loss(mask(module.state_dict(), channel_map, {name: others}))
        assert observed[name][1].item() == pytest.approx(cut - loss(module.state_dict()), abs=1e-5)
