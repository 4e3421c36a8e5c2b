import torch

from workers.channels import find_groups
from workers.models import build


def test_densenet_concatenates_growing_channels():
    # 2*4 into block 1, two layers of 4: 16; the transition halves them: 8; block 2: 16 into the linear layer.
    model = build("densenet", {"growth": 4, "layers": 2})
    assert [layer.conv.in_channels for layer in model.features.block1] == [8, 12]
    assert [layer.conv.in_channels for layer in model.features.block2] == [8, 12]
    assert model.linear.in_features == 16


def test_densenet40_has_the_published_number_of_parameters(num_parameters):
    # Channels read by the twelve layers of a block that c channels enter: 12 c + 12 * 66. They are read by a 3x3
    # convolution to 12 maps and a batch norm: 110 numbers each.
    read = sum(12 * c + 792 for c in (16, 160, 304))
    transitions = 160 * 160 + 2 * 160 + 304 * 304 + 2 * 304
    # Stem 432, last batch norm 2 * 448, linear 4,490. Huang et al. 2017, table 2 (L = 40, k = 12): 1.0 M; network
    # slimming, table 1: 1.02 M.
    assert num_parameters(build("densenet40")) == 110 * read + transitions + 432 + 896 + 4_490 == 1_019_722


def test_densenet40_counts_its_depth_along_the_main_path():
    # Stem, 3 x 12 layers, 2 transitions, linear.
    assert sum(each.dim() > 1 for each in build("densenet40").parameters()) == 1 + 36 + 2 + 1


def test_a_layer_hands_its_input_on():
    layer = build("densenet40").features.block1[0]
    features = torch.randn(2, 16, 4, 4)
    assert torch.equal(layer(features)[:, :16], features)


def test_a_concatenation_is_made_of_the_groups_in_order():
    found = find_groups(build("densenet", {"growth": 3, "layers": 2}), (3, 8, 8))
    axis = found.tensors["linear.weight"][1]
    names = [found.groups[group].name for group in axis.groups]
    # The transition passes on half of 2*3 + 2*3 channels, then two layers of 3.
    expected = ["features.transition1.2"] * 6 + ["features.block2.0.conv"] * 3 + ["features.block2.1.conv"] * 3
    assert names == expected
    assert axis.units.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 0, 1, 2]
