"""Replayed forward passes give the results of whole ones, bit for bit."""

import pytest
import torch
import torchvision
from token_network import INPUTS, Tokens
from torch import nn
from torch.func import functional_call
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from workers.channels import find_groups, mask
from workers.models import build
from workers.observations.replay import KeptPass

IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
NETWORKS = {
    "vgg": lambda: build("cifar_vgg11_bn"),
    "resnet": lambda: build("resnet", {"widths": [4, 6]}),
    "densenet": lambda: build("densenet", {"growth": 3, "layers": 2}),
    "selecting": lambda: build("preresnet", {"depth": 11, "channel_selection": True}),
    "in place": lambda: torchvision.models.resnet18(num_classes=10),  # ReLUs, and sums with the shortcut
}


def changed(state, name):
    return {**state, name: state[name] + 1}


@pytest.mark.parametrize("network", NETWORKS)
def test_every_group_of_a_network_can_be_cut(network):
    size = 32 if network == "vgg" else 16
    images = IMAGES.repeat(1, 1, size // 16, size // 16)
    module = NETWORKS[network]().eval()
    channel_map, state = find_groups(module, (3, size, size)), module.state_dict()
    with torch.inference_mode():
        kept = KeptPass(module, state, (images,))
        assert torch.equal(kept.output, module(images))
        for index, group in enumerate(channel_map.groups):
            names = [
                name for name, axes in channel_map.tensors.items() if any(index in axis.present() for axis in axes)
            ]
            cut = mask(state, channel_map, {group.name: range(1, group.width)})
            for _ in range(2):  # the first pass has left what is kept as it was
                assert torch.equal(kept.run(cut, kept.first_use(names)), functional_call(module, cut, (images,)))
        assert torch.equal(kept.run(state, 0), kept.output)


class Chain(nn.Module):
    """Three convolutions; something is done to what the first one gave, after the second one has read it."""

    def __init__(self, between):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(3))
        self.between = between

    def forward(self, x):
        first = self.layers[0](x)
        second = self.layers[1](first)
        return self.layers[2](second + self.between(first))


IN_PLACE = {
    "nothing": lambda x: x * 2,
    "relu": lambda x: functional.relu(x, inplace=True),
    "underscore": lambda x: x.clamp_(0, 0.1),
    "augmented": lambda x: x.__iadd__(1),
    "a view": lambda x: x.flatten(2).mul_(3).unflatten(2, (16, 16)),
    "an item": lambda x: (x.__setitem__((slice(None), 0), 5.0), x)[1],
}


@pytest.mark.parametrize("between", IN_PLACE)
@pytest.mark.parametrize("layer", range(3))
def test_what_is_changed_in_place_is_made_anew(between, layer):
    module = Chain(IN_PLACE[between]).eval()
    state, name = module.state_dict(), f"layers.{layer}.weight"
    with torch.inference_mode():
        kept = KeptPass(module, state, (IMAGES,))
        start = kept.first_use([name])
        other = changed(state, name)
        for _ in range(2):
            assert torch.equal(kept.run(other, start), functional_call(module, other, (IMAGES,)))


class Counting(TorchFunctionMode):
    """How often a convolution really runs."""

    def __init__(self):
        super().__init__()
        self.convolutions = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.convolutions += function is torch.conv2d
        return function(*args, **(kwargs or {}))


def test_calls_before_the_first_use_are_not_made():
    module = Chain(IN_PLACE["nothing"]).eval()
    state = module.state_dict()
    kept = KeptPass(module, state, (IMAGES,))
    found = []
    for layer in range(3):
        name, counting = f"layers.{layer}.weight", Counting()
        with counting:
            kept.run(changed(state, name), kept.first_use([name]))
        found.append(counting.convolutions)
    assert found == [3, 2, 1]


def test_a_tensor_that_no_call_gets_may_be_used_anywhere():
    module = Chain(IN_PLACE["nothing"]).eval()
    kept = KeptPass(module, module.state_dict(), (IMAGES,))
    assert kept.first_use(["layers.2.weight", "layers.2.hidden"]) == 0


def test_a_pass_of_named_inputs_is_replayed():
    module, inputs = Tokens().eval(), INPUTS.draw(3, torch.Generator().manual_seed(0))
    state = module.state_dict()
    with torch.inference_mode():
        kept = KeptPass(module, state, inputs)
        other = changed(state, "back.weight")
        found = kept.run(other, kept.first_use(["back.weight"]))
        assert torch.equal(found.logits, functional_call(module, other, (), inputs).logits)
