import pytest
import torch
from torch import nn

from workers.channels import find_groups
from workers.models import build


def test_resnet_has_the_parameters_counted_by_hand(num_parameters):
    # Stem 3*2*9 + 4 = 58. Stage 1: two of 2*2*9 + 4 = 80. Stage 2: 2*4*9 + 8, 4*4*9 + 8 and the shortcut
    # 2*4 + 8: 80 + 152 + 16 = 248. Linear 4*10 + 10 = 50.
    model = build("resnet", {"widths": [2, 4], "blocks": 1})
    assert num_parameters(model) == 58 + 80 + 248 + 50


def test_resnet_halves_the_side_at_stages_two_and_three():
    model = build("resnet", {})
    sides = {}
    for name in ("layer1", "layer2", "layer3"):
        model.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: sides.update({name: out.shape[1:]})
        )
    model(torch.zeros(2, 3, 32, 32))
    assert sides == {"layer1": (32, 32, 32), "layer2": (64, 16, 16), "layer3": (128, 8, 8)}


@pytest.mark.parametrize(
    ("depth", "millions", "counted"), [(20, 0.27, 269_722), (56, 0.85, 853_018), (110, 1.7, 1_727_962)]
)
def test_cifar_resnet_with_padding_has_the_published_number_of_parameters(num_parameters, depth, millions, counted):
    # He et al. (2016), table 6. With n blocks per stage, weights and two numbers of batch norm per map: the stem has
    # 432 + 32; the stages 2n x 2,304 + 2n x 32, then 4,608 + (2n-1) x 9,216 + 2n x 64, then 18,432 + (2n-1) x 36,864 +
    # 2n x 128; linear 650: 97,216 n - 21,926.
    blocks = (depth - 2) // 6
    assert num_parameters(build(f"cifar_resnet{depth}", {"shortcut": "padding"})) == counted == 97_216 * blocks - 21_926
    assert counted / 1e6 == pytest.approx(millions, abs=0.05 if depth == 110 else 0.005)


@pytest.mark.parametrize("depth", [20, 56, 110])
def test_projections_add_two_small_convolutions(num_parameters, depth):
    # 16-32 and 32-64, each with batch norm: 512 + 64 + 2,048 + 128 = 2,752. 855,770 is also the published checkpoint.
    padded = num_parameters(build(f"cifar_resnet{depth}", {"shortcut": "padding"}))
    assert num_parameters(build(f"cifar_resnet{depth}")) == padded + 2_752


def test_cifar_resnet18_has_imagenets_parameters_but_for_stem_and_classes(num_parameters):
    # torchvision's resnet18 has 11,689,512: a 7x7 stem of 9,408 instead of 1,728, a linear layer of 513,000 not 5,130.
    assert num_parameters(build("cifar_resnet18")) == 11_689_512 - (9_408 - 1_728) - (513_000 - 5_130) == 11_173_962


def test_cifar_resnet50_has_imagenets_parameters_but_for_stem_and_classes(num_parameters):
    # torchvision's resnet50 has 25,557,032: the same stem, and a linear layer of 2,049,000, not 20,490.
    assert num_parameters(build("cifar_resnet50")) == 25_557_032 - (9_408 - 1_728) - (2_049_000 - 20_490) == 23_520_842


def test_cifar_resnet_counts_its_depth_along_the_main_path():
    # 20 = 1 stem + 3 stages of 3 blocks of 2 convolutions + 1 linear.
    model = build("cifar_resnet", {"depth": 20})
    convolutions = [
        name for name, each in model.named_modules() if isinstance(each, nn.Conv2d) and "shortcut" not in name
    ]
    assert len(convolutions) + 1 == 20


def test_a_padded_shortcut_takes_every_second_pixel_and_puts_zeros_around_the_channels():
    shortcut = build("cifar_resnet", {"depth": 8, "shortcut": "padding"}).layer2[0].shortcut
    images = torch.rand(2, 16, 5, 5)
    out = shortcut(images)
    assert out.shape == (2, 32, 3, 3)
    assert torch.equal(out[:, 8:24], images[:, :, ::2, ::2])
    assert not out[:, :8].any()
    assert not out[:, 24:].any()


def test_padding_holds_only_the_channels_that_meet_its_zeros():
    found = find_groups(build("cifar_resnet", {"depth": 8, "shortcut": "padding"}), (3, 32, 32))
    # The stem's 16 run through all sums; the other 16 of 32 and 32 of 64 have to stay where the zeros are.
    assert found.widths() == {"conv1": 16, "layer1.0.conv1": 16, "layer2.0.conv1": 32, "layer3.0.conv1": 64}
    assert {layer for group in found.refused for layer in group.layers} == {"layer2.0.conv2", "layer3.0.conv2"}


def test_projections_leave_a_group_per_stage_and_block():
    found = find_groups(build("cifar_resnet", {"depth": 14}), (3, 32, 32))
    by_name = {group.name: group.layers for group in found.groups}
    assert by_name["layer2.0.conv2"] == ("layer2.0.conv2", "layer2.0.shortcut.0", "layer2.1.conv2")
    # A stem with the first stage, two more stages, and the inside of six blocks.
    assert len(by_name) == 3 + 6
