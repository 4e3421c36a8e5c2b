import pytest
import torch
from small_detectors import images, small_detector
from torch import nn
from torch.nn import functional

from workers.models import build
from workers.observations.calls import record
from workers.reconstruction import find_sites
from workers.reconstruction.sites import LARGEST

IMAGE = torch.zeros(1, 3, 8, 8)


def found(module, image=IMAGE):
    return {site.layer: site for site in find_sites(module.eval(), image)}


def test_the_second_layer_of_a_residual_block_is_compared_behind_the_sum():
    network = build("resnet", {"widths": [4, 6], "blocks": 1})
    sites, calls = found(network), {call.number: call for call in record(network, IMAGE)}
    assert list(sites) == [
        "conv1",
        "layer1.0.conv1",
        "layer1.0.conv2",
        "layer2.0.conv1",
        "layer2.0.conv2",
        "layer2.0.shortcut.0",
        "linear",
    ]
    names = {layer: calls[site.compared].name for layer, site in sites.items()}
    assert names["layer1.0.conv1"] == "batch_norm"
    assert names["layer1.0.conv2"] == names["layer2.0.shortcut.0"] == "add"
    assert sites["layer2.0.shortcut.0"].compared == sites["layer2.0.conv2"].compared  # both are added up there
    assert (sites["layer1.0.conv2"].norm, sites["linear"].norm) == ("layer1.0.bn2", None)


class Scaled(nn.Module):
    """Six layers whose outputs are added to the input, in as many ways."""

    def __init__(self):
        super().__init__()
        self.plain, self.written, self.other, self.deprecated, self.twice, self.in_place = (
            nn.Conv2d(3, 3, 1) for _ in range(6)
        )

    def forward(self, images):
        images = torch.add(images, self.plain(images), alpha=1)
        images = torch.add(images, self.written(images), alpha=0.1)
        images = images.add(other=self.other(images), alpha=2)
        images = torch.add(images, 2, self.deprecated(images))
        images = images.cos().add_(self.in_place(images), alpha=2)
        twice = self.twice(images)
        return twice + twice


@pytest.mark.filterwarnings("ignore:This overload of add is deprecated")
def test_a_sum_that_scales_or_doubles_is_not_compared_behind():
    sites = found(Scaled())
    assert {layer for layer, site in sites.items() if site.compared != site.call} == {"plain"}


def test_layers_that_judge_boxes_are_left_out_on_request():
    image = images(1)
    sites = {site.layer for site in find_sites(small_detector(), image, on_images=True)}
    assert {"backbone.conv1", "rpn.head.cls_logits"} <= sites
    assert not any(layer.startswith("roi_heads") for layer in sites)


def test_a_layer_whose_outputs_are_concatenated_is_compared_right_behind_itself():
    sites = found(build("densenet", {"layers": 2, "growth": 3}))
    assert all(site.compared == site.call and site.norm is None for site in sites.values())


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.twice, self.tied, self.own = (nn.Conv2d(3, 3, 1) for _ in range(3))
        self.last = nn.Conv2d(3, 3, 1)
        self.last.weight = self.tied.weight

    def forward(self, images):
        images = self.last(self.tied(self.twice(self.twice(images))))
        return functional.conv2d(self.own(images), torch.ones(1, 3, 1, 1))


def test_layers_that_run_twice_and_weights_that_are_shared_or_no_parameters_are_left_out():
    assert list(found(Odd())) == ["own"]


def test_a_layer_with_too_many_inputs_is_left_out():
    network = nn.Sequential(nn.Flatten(), nn.Linear(LARGEST + 1, 2), nn.Linear(2, 2))
    assert list(found(network, torch.zeros(1, LARGEST + 1))) == ["2"]


def test_a_norm_that_runs_along_another_axis_is_no_part_of_a_site():
    network = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(3))  # on 3 tokens of 4 numbers
    (site,) = found(network, torch.zeros(1, 3, 4)).values()
    assert (site.norm, site.compared) == (None, site.call)
