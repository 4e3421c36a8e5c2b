import pytest
import torch
import torchvision

from jobs.errors import BadInputError
from workers.models import build

# Weights of the 3x3 convolutions without a first one of 1,728 and without the repetitions within a stage.
STEPS = {"64-128": 73_728, "128-256": 294_912, "256-512": 1_179_648}
WITHIN = {64: 36_864, 128: 147_456, 256: 589_824, 512: 2_359_296}


@pytest.mark.parametrize(
    ("name", "repeats", "maps", "classifier", "published"),
    [
        # Column A: 64, 128, 256 x 2, 512 x 4 maps. No paper counts it on CIFAR.
        ("cifar_vgg11_bn", {256: 1, 512: 3}, 2_752, 5_130, 9_231_114),
        # Column D with a hidden layer of 512 and its batch norm. Li et al. 2017, table 1: 1.5e7.
        ("cifar_vgg16_bn", {64: 1, 128: 1, 256: 2, 512: 5}, 4_224, 262_656 + 1_024 + 5_130, 14_991_946),
        # Column E. Network slimming, table 1 (VGGNet, CIFAR-10): 20.04 M.
        ("cifar_vgg19_bn", {64: 1, 128: 1, 256: 3, 512: 7}, 5_504, 5_130, 20_040_522),
    ],
)
def test_has_the_published_number_of_parameters(num_parameters, name, repeats, maps, classifier, published):
    # A map has a bias, and a scale and a shift of its batch norm.
    weights = 1_728 + sum(STEPS.values()) + sum(WITHIN[width] * times for width, times in repeats.items())
    assert weights + 3 * maps + classifier == published
    assert num_parameters(build(name)) == published


@pytest.mark.parametrize(("norm", "parameters"), [("batch", 9_231_114), ("layer", 9_231_114), ("none", 9_225_610)])
def test_its_norms_can_be_chosen(num_parameters, norm, parameters):
    network = build("cifar_vgg11", {"norm": norm})
    assert num_parameters(network) == parameters
    images = torch.rand(3, 3, 32, 32)
    two, three = network(images[:2]), network(images)
    # In training, an image's outputs depend on the others of its batch where a batch norm is.
    assert torch.allclose(two, three[:2], rtol=1e-3, atol=1e-4) == (norm != "batch")


def test_a_norm_that_is_not_known_is_refused():
    with pytest.raises(BadInputError, match=r"network 'cifar_vgg11': norm is 'instance'; one of batch, layer, none"):
        build("cifar_vgg11", {"norm": "instance"})


@pytest.mark.parametrize("depth", [11, 16, 19])
def test_features_are_numbered_as_torchvision_does(depth):
    ours = build(f"cifar_vgg{depth}_bn").features.state_dict()
    theirs = torchvision.models.get_model(f"vgg{depth}_bn", weights=None, init_weights=False).features.state_dict()
    assert {name: each.shape for name, each in ours.items()} == {name: each.shape for name, each in theirs.items()}


def test_each_has_its_convolutions_and_fewer_linear_layers_than_the_originals_three():
    # 8 + 1, 13 + 2 and 16 + 1.
    layers = {
        depth: sum(each.dim() > 1 for each in build(f"cifar_vgg{depth}_bn").parameters()) for depth in (11, 16, 19)
    }
    assert layers == {11: 9, 16: 15, 19: 17}
