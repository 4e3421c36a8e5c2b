"""The numerical proof for the zoo and torchvision's classification networks, compared with Torch-Pruning."""

import pytest
import torch
import torchvision
from torchvision.models import MaxVit, SwinTransformer, VisionTransformer

from benchmarks.channels import peer_groups
from workers.channels import find_groups
from workers.channels.proof import prove
from workers.models import build

ZOO = [
    # (name, arguments, groups)
    ("nin", {}, 8),  # 9 layers, of which the last one makes the classes
    ("plain", {"widths": [6, 7, 8]}, 3),
    ("cifar_vgg11_bn", {}, 8),
    ("cifar_vgg11", {"norm": "layer"}, 8),
    ("cifar_vgg11", {"norm": "none"}, 8),
    ("cifar_resnet20", {}, 9 + 3),  # one inner group for each block, one for the sum of each stage
    (
        "cifar_resnet20",
        {"shortcut": "padding"},
        9 + 1,
    ),  # what is padded has to stay: of the sums that of stage 1 is left
    ("preresnet", {"depth": 20}, 6 * 2 + 4),  # two inner groups for each block, the stem, the sum of each stage
    ("preresnet", {"depth": 20, "channel_selection": True}, 6 * 3 + 1),  # a selection more for each block, and the last
    ("densenet", {"channel_selection": True}, 2 * 3 + 1 + 1),  # one for each layer, the transition and the last norm
    ("densenet", {}, 1 + 2 * 3 + 1),  # the stem, two blocks of three layers, the transition between them
    # The long skip makes one group of all sums; a layer in each of two blocks; four maps of each shuffle are a channel.
    ("edsr", {"scale": 4, "num_blocks": 2, "width": 8}, 1 + 2 + 2),
    ("edsr", {"scale": 3, "num_blocks": 2, "width": 8, "residual_scale": 1.0}, 1 + 2 + 1),
    ("srcnn", {"in_channels": 3}, 2),  # 3 layers, of which the last one makes the image
    ("unet", {"widths": [4, 6]}, 2 * 2 + 1 + 2),  # two for each width, one enlarged, two on the way up
    pytest.param("cifar_resnet18", {}, 8 + 4, marks=pytest.mark.slow),
    pytest.param("cifar_resnet50", {}, 2 * 16 + 1 + 4, marks=pytest.mark.slow),  # the stem is in no stream
    pytest.param("densenet40", {}, 1 + 3 * 12 + 2, marks=pytest.mark.slow),
]


def check(model, shape, *ratios):
    """The map of a network, which has to stand the proof at these ratios."""
    found = find_groups(model, shape)
    for ratio in ratios:
        proof = prove(model, shape, found, ratio=ratio, generator=torch.Generator().manual_seed(0))
        assert proof.holds(1e-9), proof
        assert proof.change > 1e-6
    return found


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("name", "arguments", "groups"), ZOO)
def test_zoo(name, arguments, groups):
    found = check(build(name, arguments), (3, 32, 32), 0.3, 0.7)
    assert len(found.groups) == groups
    whole = {"layer2", "layer3"} if arguments.get("shortcut") == "padding" else set()
    if arguments.get("channel_selection"):  # the streams that are selected from
        whole = {"conv1", "stages"} if name == "preresnet" else {"stem", "features"}
    assert {layer.split(".")[0] for refused in found.refused for layer in refused.layers} == whole


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("shufflenet_v2_x0_5", 21),
        ("mobilenet_v3_small", 27),
        pytest.param("regnet_y_400mf", 37, marks=pytest.mark.slow),
        pytest.param("resnext50_32x4d", 16 + 5, marks=pytest.mark.slow),  # a conv group is one unit, in and out
        pytest.param("convnext_tiny", 18 + 4, marks=pytest.mark.slow),
    ],
)
def test_torchvision(name, groups):
    """More of them are in `test_slicing`, where they are trained too."""
    found = check(torchvision.models.get_model(name, weights=None, num_classes=10), (3, 64, 64), 0.5)
    assert (len(found.groups), found.refused) == (groups, ())


def test_of_a_vision_transformer_heads_go_without_the_stream():
    """The stream; of each of the two layers the heads and the MLP."""
    model = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=12, mlp_dim=20, num_classes=5)
    found = check(model, (3, 32, 32), 0.5)
    assert [group.width for group in found.groups] == [12, 2, 20, 2, 20]
    assert not found.refused


def test_of_a_swin_transformer_heads_go_with_the_stream_of_their_stage():
    model = SwinTransformer([2, 2], 8, [1, 1], [2, 4], [4, 4], num_classes=5)
    found = check(model, (3, 32, 32), 0.3, 0.7)
    assert [group.width for group in found.groups] == [2, 32, 4, 64]
    assert not found.refused


@pytest.mark.slow
def test_of_a_maxvit_heads_go_with_the_stream_of_their_stage():
    model = MaxVit((28, 28), 8, 7, [8], [1], 4, stochastic_depth_prob=0.0, num_classes=5)
    found = check(model, (3, 28, 28), 0.5)
    # two layers of the stem; in the stage the stream, one in the convolutions, one squeezed and two MLPs; one before
    # the classes
    assert len(found.groups) == 2 + 5 + 1
    assert not found.refused


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "squeezenet1_1"])
def test_torch_pruning_finds_the_same_groups_and_the_classifier(name):
    model = torchvision.models.get_model(name, weights=None).eval()
    ours = {frozenset(group.layers) for group in find_groups(model, (3, 64, 64)).groups}
    theirs = peer_groups(model, (3, 64, 64))
    assert ours < theirs
    assert len(theirs - ours) == 1
