"""First-order statistics, by hand and against derivatives taken one by one."""

import pytest
import torch
from small_detectors import images, small_detector, small_map, targets
from torch import nn
from torch.nn import functional

from workers.data import Split
from workers.models import build
from workers.objectives.detection import objective
from workers.observations import OBSERVATIONS, Batches


@pytest.fixture
def two_units():
    """Logits (h0, h1) of hidden units h = (x, 2x)."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    module[1].weight.data = torch.tensor([[1.0], [2.0]])
    module[3].weight.data = torch.eye(2)
    return module


IMAGES = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
LABELS = [0, 1]


def by_hand():
    """Derivatives of the loss by the gates: h (p - onehot), a row per image."""
    hidden = torch.tensor([[1.0, 2.0], [3.0, 6.0]], dtype=torch.float64)
    return hidden * (hidden.softmax(1) - torch.eye(2, dtype=torch.float64))


def test_squares_by_hand(observe, two_units):
    slopes = by_hand()
    observed = observe("gradients", two_units, IMAGES, LABELS, batch_size=2)
    expected = {"square": slopes.square().mean(0), "batch_square": slopes.mean(0).square()}
    expected["connection"] = slopes.mean(0).abs()  # a filter of one weight, without bias: w dL/dw is the gate's slope
    for statistic, values in expected.items():
        torch.testing.assert_close(observed[statistic]["1"], values, rtol=1e-6, atol=0)


def test_in_batches_of_one_the_batch_square_is_the_square(observe, two_units):
    observed = observe("gradients", two_units, IMAGES, LABELS, batch_size=1)
    torch.testing.assert_close(observed["batch_square"]["1"], observed["square"]["1"])


def test_a_smaller_last_batch_counts_by_its_size(observe, two_units):
    images, labels = torch.cat([IMAGES, IMAGES[:1]]), [*LABELS, 0]
    slopes = by_hand()
    expected = (2 * slopes.mean(0).square() + slopes[0].square()) / 3
    observed = observe("gradients", two_units, images, labels, batch_size=2)
    torch.testing.assert_close(observed["batch_square"]["1"], expected, rtol=1e-6, atol=0)


def test_a_residual_unit_is_gated_in_all_its_layers(observe):
    torch.manual_seed(0)
    module = build("resnet", {"widths": [3], "in_channels": 1, "num_classes": 4}).eval()
    images, labels = torch.rand(4, 1, 8, 8), [0, 1, 2, 3]
    block = module.layer1[0]

    def loss_at(gate, image, label):
        gate = gate.view(1, -1, 1, 1)
        stem = module.relu(module.bn1(module.conv1(image[None]))) * gate
        inner = block.bn1(block.conv1(stem)).relu()
        stream = (block.bn2(block.conv2(inner)) * gate + stem).relu()
        return functional.cross_entropy(module.linear(stream.mean((2, 3))), torch.tensor([label]))

    slopes = [
        torch.autograd.functional.jacobian(lambda gate, i=i: loss_at(gate, images[i], labels[i]), torch.ones(3))
        for i in range(4)
    ]
    observed = observe("gradients", module, images, labels, batch_size=3)
    torch.testing.assert_close(
        observed["square"]["conv1"], torch.stack(slopes).square().mean(0).double(), rtol=1e-4, atol=1e-9
    )


def test_connections_are_those_of_all_images_together(observe):
    torch.manual_seed(0)
    module = build("plain", {"widths": [3], "in_channels": 1, "num_classes": 4}).eval()
    images, labels = torch.rand(6, 1, 8, 8), [0, 1, 2, 3, 0, 1]
    functional.cross_entropy(module(images), torch.tensor(labels)).backward()
    name, weight = next((name, each) for name, each in module.named_parameters() if each.ndim == 4)
    expected = (weight * weight.grad).detach().abs().flatten(1).sum(1).double()
    module.zero_grad()
    observed = observe("gradients", module, images, labels, batch_size=4)
    torch.testing.assert_close(observed["connection"][name.removesuffix(".weight")], expected, rtol=1e-4, atol=1e-9)


def test_frozen_parameters_count_and_stay_frozen(observe, two_units):
    expected = observe("gradients", two_units, IMAGES, LABELS)
    two_units.requires_grad_(False)
    found = observe("gradients", two_units, IMAGES, LABELS)
    assert torch.equal(found["connection"]["1"], expected["connection"]["1"])
    assert not any(parameter.requires_grad for parameter in two_units.parameters())
    assert all(parameter.grad is None for parameter in two_units.parameters())


class Windows(nn.Module):
    """A layer that sees the four quarters of an image as four images."""

    def __init__(self):
        super().__init__()
        self.inner, self.classes = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        quarters = x.unfold(2, 2, 2).unfold(3, 2, 2).reshape(4 * len(x), 4)
        return self.classes(self.inner(quarters).tanh().view(len(x), 4, -1).sum(1))


def test_the_windows_of_an_image_are_summed(observe):
    torch.manual_seed(0)
    module, images, labels = Windows(), torch.rand(4, 1, 4, 4), [0, 1, 1, 0]
    one_by_one = observe("gradients", module, images, labels, batch_size=1)
    together = observe("gradients", module, images, labels, batch_size=4)
    torch.testing.assert_close(together["square"], one_by_one["square"])


def test_boxes_of_an_image_are_summed_where_the_network_computes_its_losses():
    module = small_detector()
    channel_map = small_map()
    split = Split(images=images(3), targets=targets(3))

    def observe_in(batch_size):
        batches = Batches(split, objective(), batch_size, device=torch.device("cpu"), labelled=True)
        return OBSERVATIONS["gradients"](module, channel_map, batches)

    one, all_three = observe_in(1), observe_in(3)
    for name in ("backbone.conv1", "roi_heads.box_head.layer4.0.conv1"):
        torch.testing.assert_close(one["square"][name], all_three["square"][name])
        torch.testing.assert_close(one["batch_square"][name], one["square"][name])
        assert not torch.allclose(all_three["batch_square"][name], one["square"][name])
