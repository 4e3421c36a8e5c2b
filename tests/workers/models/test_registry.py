"""Properties of every network of the zoo: it runs, its channels are found, and it can be pruned."""

import pytest
import torch

from workers.channels import find_groups, load_resized, mask, select
from workers.models import build
from workers.models._registry import ZOO

SMALLEST = {
    "cifar_resnet": {"depth": 8},
    "edsr": {"scale": 2, "num_blocks": 1, "width": 6},
    "edsr_baseline": {"scale": 2},
    "preresnet": {"depth": 11},
    "unet": {"widths": [4, 6]},
}
SCALES = {"edsr": 2, "edsr_baseline": 2, "srcnn": 1}
"""The networks that return images, and how much larger these are; all others return logits."""
PER_PIXEL = {"unet"}
"""The networks that return logits for every pixel."""
ELSEWHERE = {"bicubic", "faster_rcnn", "faster_rcnn_fpn"}
"""Without weights, or not traced whole: tested in files of their own."""
DEEP = {"cifar_resnet110", "cifar_resnet56", "densenet40", "edsr_baseline", "preresnet164"}
"""More blocks of the same kinds as others have, which is all that cutting would show of them."""
IMAGE = (1, 32, 32)


def make(name, seed=0):
    torch.manual_seed(seed)
    classes = {} if name in SCALES else {"num_classes": 7}
    return build(name, {"in_channels": 1} | classes | SMALLEST.get(name, {})).double().eval()


def make_all_channels_differ(model):
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)


@pytest.mark.parametrize("name", sorted(ZOO.keys() - ELSEWHERE))
def test_two_images_give_logits_or_images_all_finite(name):
    outputs = make(name)(torch.rand(2, *IMAGE, dtype=torch.float64))
    side = 32 * SCALES.get(name, 1)
    logits = (2, 7, 32, 32) if name in PER_PIXEL else (2, 7)
    assert outputs.shape == ((2, 1, side, side) if name in SCALES else logits)
    assert outputs.isfinite().all()


@pytest.mark.parametrize("name", sorted(ZOO.keys() - DEEP - ELSEWHERE))
def test_a_network_cut_at_random_computes_what_the_masked_one_does(name):
    model = make(name)
    make_all_channels_differ(model)
    channel_map = find_groups(model, IMAGE)
    assert not channel_map.refused
    state = model.state_dict()
    kept = {group.name: torch.randperm(group.width)[: max(1, group.width // 2)] for group in channel_map.groups}
    cut, masked = make(name, seed=1), make(name, seed=1)
    load_resized(cut, select(state, channel_map, kept))
    load_resized(masked, mask(state, channel_map, kept))
    images = torch.rand(2, *IMAGE, dtype=torch.float64)
    assert sum(each.numel() for each in cut.parameters()) < sum(each.numel() for each in model.parameters())
    torch.testing.assert_close(cut(images), masked(images), rtol=1e-9, atol=1e-9)
    assert not torch.allclose(cut(images), model(images), rtol=1e-3)
