"""The empirical Fisher information by hand, and against gradients taken one image at a time."""

import torch
from small_detectors import images, small_detector, small_map, targets
from torch import nn
from torch.nn import functional

from workers.data import Split
from workers.models import build
from workers.objectives.detection import objective
from workers.observations import OBSERVATIONS, Batches


def test_a_unit_has_the_weights_that_make_it_and_those_that_read_it(observe):
    module = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    module[1].weight.data, module[3].weight.data = torch.tensor([[1.0], [2.0]]), torch.eye(2)
    images, labels = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1), [0, 1]
    hidden = torch.tensor([[1.0, 2.0], [3.0, 6.0]], dtype=torch.float64)
    slopes = hidden.softmax(1) - torch.eye(2, dtype=torch.float64)  # of the loss by the logits, a row per image
    # By weight w_u the derivative is slope_u x, so w² h is the mean of (slope_u h_u)²; the weight that reads it, too.
    expected = 2 * (hidden * slopes).square().mean(0)
    for batch_size in (1, 2):
        observed = observe("curvature", module, images, labels, batch_size=batch_size)
        torch.testing.assert_close(observed["curvature"]["1"], expected, rtol=1e-6, atol=0)


def test_a_residual_unit_has_all_tensors_of_its_stream(observe):
    torch.manual_seed(0)
    module = build("resnet", {"widths": [3], "in_channels": 1, "num_classes": 4}).eval().requires_grad_(False)
    images, labels = torch.rand(3, 1, 8, 8), [0, 3, 1]
    observed = observe("curvature", module, images, labels)["curvature"]["conv1"]
    assert all(each.grad is None and not each.requires_grad for each in module.parameters())
    module.requires_grad_(True)
    block, terms = module.layer1[0], {}
    for image, label in zip(images, labels, strict=True):
        module.zero_grad()
        functional.cross_entropy(module(image[None]), torch.tensor([label])).backward()
        for name, each in module.named_parameters():
            terms[name] = terms.get(name, 0) + (each * each.grad).detach().double().square() / 3
    produced = ["conv1.weight", "bn1.weight", "bn1.bias", "layer1.0.conv2.weight", "layer1.0.bn2.weight"]
    read = ["layer1.0.conv1.weight", "linear.weight"]
    assert block.conv1.weight.shape[1] == 3
    expected = sum(terms[name].flatten(1).sum(1) if terms[name].ndim > 1 else terms[name] for name in produced)
    expected = (
        expected + terms["layer1.0.bn2.bias"] + sum(terms[name].transpose(0, 1).flatten(1).sum(1) for name in read)
    )
    torch.testing.assert_close(observed, expected, rtol=1e-4, atol=1e-12)


def test_a_network_that_computes_its_losses_is_asked_image_by_image():
    module, channel_map = small_detector(), small_map()
    split = Split(images=images(2), targets=targets(2))
    one, two = (
        OBSERVATIONS["curvature"](
            module, channel_map, Batches(split, objective(), size, device=torch.device("cpu"), labelled=True)
        )["curvature"]
        for size in (1, 2)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert all(bool(each.isfinite().all()) for each in one.values())
    assert any(bool(each.any()) for each in one.values())
