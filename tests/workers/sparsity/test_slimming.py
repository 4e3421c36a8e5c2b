import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from jobs.spec.training import Recipe
from workers.criteria import Evidence
from workers.criteria.batchnorm_scale import batchnorm_scale
from workers.models import build
from workers.sparsity.slimming import GroupSlimming, Slimming, start_scales


def test_a_step_adds_the_sign_of_the_scale_to_its_gradient():
    norm = nn.BatchNorm2d(3)
    norm.weight.data = torch.tensor([2.0, -1.0, 0.0])
    norm.weight.grad = torch.tensor([0.5, 0.5, 0.5])
    Slimming(nn.Sequential(norm), strength=0.1).before_step()
    # At zero the subgradient is taken to be zero.
    assert norm.weight.grad.tolist() == pytest.approx([0.6, 0.4, 0.5])


def test_scales_that_have_no_gradient_are_left():
    norm = nn.BatchNorm2d(3)
    Slimming(nn.Sequential(norm), strength=0.1).before_step()
    assert norm.weight.grad is None


def test_scales_that_help_nothing_go_towards_zero_and_the_others_stay(small, follow):
    recipe = Recipe(epochs=40, batch_size=8, learning_rate=0.1, weight_decay=0.0, schedule="cosine")
    with torch.no_grad():
        small.head.weight[:, 2:] = 0  # nothing is made of the last two channels
    small.head.requires_grad_(False)
    follow(small, Slimming(small, strength=0.02), recipe=recipe)
    scales = small.norm2.weight.detach().abs()
    assert float(scales[2:].max()) < 0.05 < 0.3 < float(scales[:2].max())


def test_from_scratch_all_scales_start_at_a_half():
    model = build("preresnet", {"depth": 11})
    start_scales(model)
    norms = [each for each in model.modules() if isinstance(each, nn.BatchNorm2d)]
    assert len(norms) == 10
    assert all(bool((norm.weight == 0.5).all()) for norm in norms)


def test_a_network_without_scales_is_refused():
    with pytest.raises(BadInputError, match="no batch norm with a trainable scale"):
        Slimming(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, affine=False)), strength=0.1)


def test_units_of_a_pre_activation_network_have_the_scales_of_all_norms_that_read_them(map_of):
    model = build("preresnet", {"depth": 11, "in_channels": 1})
    channel_map = map_of(model, (1, 8, 8))
    start_scales(model)
    model.stages[0][0].bn1.weight.data[3] = 0  # the stem's channels: one norm
    model.stages[1][0].bn1.weight.data[5] = 0  # the first stage's: one norm, of the block behind it
    evidence = Evidence(
        state=model.state_dict(), channel_map=channel_map, generator=torch.Generator(), network=lambda: (model, ())
    )
    scores = batchnorm_scale(evidence)
    assert scores.keys() == channel_map.widths().keys()
    assert {name: (each == 0).nonzero().flatten().tolist() for name, each in scores.items() if not each.all()} == {
        "conv1": [3],
        "stages.0.0.conv3": [5],
    }


def test_a_proximal_step_takes_the_scales_of_a_unit_together(map_of):
    # A stream of three units behind two norms: (3, 4), (0.3, 0.4) and (1, 0), of norms 5, 0.5 and 1. Rate 0.5 times
    # strength 1 times the root of two scales is 0.707.
    model = build("resnet", {"widths": [3], "in_channels": 1})
    norms = model.bn1, model.layer1[0].bn2
    for norm, scales in zip(norms, ([3.0, 0.3, 1.0], [4.0, 0.4, 0.0]), strict=True):
        norm.weight.data = torch.tensor(scales)
    GroupSlimming(model, map_of(model, (1, 8, 8)), strength=1.0).after_step(0.5)
    left = 1 - 0.5**0.5 / 5, 1 - 0.5**0.5
    assert norms[0].weight.tolist() == pytest.approx([3 * left[0], 0, left[1]])
    assert norms[1].weight.tolist() == pytest.approx([4 * left[0], 0, 0])
    assert model.layer1[0].bn1.weight.tolist() == pytest.approx([0.5] * 3)  # units of one norm, of scale 1


def test_what_is_no_scale_of_a_batch_norm_is_left_by_a_proximal_step(small, map_of):
    before = {name: each.clone() for name, each in small.state_dict().items()}
    GroupSlimming(small, map_of(small), strength=1.0).after_step(0.5)
    changed = {name for name, each in small.state_dict().items() if not torch.equal(each, before[name])}
    assert changed == {"norm1.weight", "norm2.weight"}
