import pytest
import torch
from torch import nn

from jobs import names
from jobs.errors import BadInputError
from workers.allocation import ALLOCATIONS, CONFIGURATIONS, allocate
from workers.allocation.predefined import named
from workers.channels import find_groups
from workers.models import build

NETWORKS = {
    "resnet110-a": "cifar_resnet110",
    "resnet110-b": "cifar_resnet110",
    "resnet34-a": "torchvision:resnet34",
    "resnet34-b": "torchvision:resnet34",
    "resnet56-a": "cifar_resnet56",
    "resnet56-b": "cifar_resnet56",
    "vgg16-a": "cifar_vgg16_bn",
}
PUBLISHED = {  # parameters that go, in %: Li et al. 2017, table 1
    "resnet110-a": 2.3,
    "resnet110-b": 32.4,
    "resnet34-a": 7.6,
    "resnet34-b": 10.8,
    "resnet56-a": 9.4,
    "resnet56-b": 13.7,
    "vgg16-a": 64.0,
}


def parameters_gone(name):
    """By narrowing the layers of the network one by one, without an analysis of its channels."""
    with torch.device("meta"):
        module = build(NETWORKS[name])
        before = sum(each.numel() for each in module.parameters())
        convolutions = {path: each for path, each in module.named_modules() if isinstance(each, nn.Conv2d)}
        gone = 0
        order = list(convolutions)
        kept = CONFIGURATIONS[name].kept
        for number, path in enumerate(order):
            layer = convolutions[path]
            inputs = kept.get(order[number - 1], layer.in_channels) if number else layer.in_channels
            if "downsample" in path or "shortcut" in path:
                inputs = layer.in_channels
            outputs = kept.get(path, layer.out_channels)
            gone += layer.weight.numel() - 9 * inputs * outputs if layer.kernel_size == (3, 3) else 0
            biases = 2 + (layer.bias is not None)  # of the norm, and of the layer
            gone += biases * (layer.out_channels - outputs)
        if name == "vgg16-a":  # the hidden layer reads what is left
            gone += 512 * (512 - kept["features.40"])
    return gone / before


@pytest.mark.parametrize("name", NETWORKS)
def test_the_nominal_compression_is_that_of_the_network_and_of_the_paper(name):
    gone = parameters_gone(name)
    assert round(gone, 2) == names.CONFIGURATIONS[name]
    assert 100 * gone == pytest.approx(PUBLISHED[name], abs=0.15)


def test_every_configuration_has_a_name_that_sweeps_can_use():
    assert set(names.CONFIGURATIONS) == set(CONFIGURATIONS)


def test_skipped_layers_are_the_first_convolutions_of_these_blocks():
    # Layer 16 is the first one of the eighth block (2, 4 ... 16), 20 and 38 those of the stages, 54 of the last block.
    configuration = CONFIGURATIONS["resnet56-a"]
    whole = [name for name, width in configuration.kept.items() if width == configuration.full[name]]
    assert whole == ["layer1.7.conv1", "layer2.0.conv1", "layer3.0.conv1", "layer3.8.conv1"]
    assert configuration.kept["layer3.1.conv1"] == 57  # 90 % of 64, rounded down


def test_another_network_is_refused(chain, ask):
    with pytest.raises(
        BadInputError, match=r"'resnet56-a' is for .* layer1.0.conv1: 16, .*; this one has none of them"
    ):
        allocate(ALLOCATIONS["predefined"], ask(chain, 0.09), {"name": "resnet56-a"})
    module = build("resnet", {"widths": [16], "in_channels": 1}).eval()
    with pytest.raises(BadInputError, match=r"this one has layer1.0.conv1: 16; name another"):
        allocate(ALLOCATIONS["predefined"], ask(find_groups(module, (1, 4, 4)), 0.09), {"name": "resnet56-a"})


def test_ones_own_widths(chain, ask):
    found = allocate(ALLOCATIONS["predefined"], ask(chain, 0.25), {"widths": {"1": 3}})
    assert (dict(found.widths), found.reached) == ({"0": 4, "1": 3}, pytest.approx(6 / 28))
    assert found.note == "asked 25%, reached 21.4%: the widths were given"
    with pytest.raises(BadInputError, match="no channel group 'conv9'"):
        allocate(ALLOCATIONS["predefined"], ask(chain, 0.25), {"widths": {"conv9": 3}})


def test_ones_own_widths_are_no_larger_than_the_groups(chain, ask):
    with pytest.raises(BadInputError, match="keep 30 of 4 channels of '0', 5 of 4 channels of '1'; give at most"):
        allocate(ALLOCATIONS["predefined"], ask(chain, 0.25), {"widths": {"0": 30, "1": 5}})


@pytest.mark.slow
def test_a_configuration_fits_the_groups_that_the_analysis_finds(ask):
    with torch.device("meta"):
        module = build("cifar_resnet56").eval()
    found = allocate(ALLOCATIONS["predefined"], ask(find_groups(module, (3, 32, 32)), 0.09), {"name": "resnet56-a"})
    assert (found.note, round(found.reached, 2)) == ("", 0.09)


def test_a_configuration_fits_the_same_layers_within_another_network():
    full = {f"backbone.{name}": width for name, width in CONFIGURATIONS["resnet34-a"].full.items()}
    kept = named("resnet34-a", {**full, "rpn.head": 256})
    assert kept["backbone.layer1.0.conv1"] == CONFIGURATIONS["resnet34-a"].kept["layer1.0.conv1"] == 64
    assert kept["backbone.layer2.1.conv1"] == 89
    assert "rpn.head" not in kept
