import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from jobs.spec.training import Recipe
from workers.channels import fold_batchnorm
from workers.models import build
from workers.sparsity.branches import residual_branches
from workers.sparsity.structure_selection import StructureSelection


@pytest.fixture
def selection(map_of):
    def selection(model, shape, structures="channels", **settings):
        norms = dict(fold_batchnorm(model, shape)) if structures == "blocks" else {}
        more = {"strength": 0.1, **settings}
        return StructureSelection(model, map_of(model, shape), structures=structures, norms=norms, **more)

    return selection


RESIDUAL = {"widths": [3, 4], "in_channels": 1, "blocks": 2}
PREACTIVATION = {"depth": 11, "in_channels": 1}


@pytest.fixture
def residual():
    torch.manual_seed(0)
    return build("resnet", RESIDUAL)


@pytest.fixture
def image():
    return torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def move(each, gradients, rate):
    (scale,) = (scale for name, scale in each.scales.items() if name == "first")
    found = []
    for gradient in gradients:
        scale.grad = torch.tensor([gradient, 0.0, 0.0])
        each.after_step(rate)
        found.append(scale[0].item())
    return found


def test_the_proximal_update_by_hand(small, shape, selection):
    # Rate 0.5, strength 0.2: the threshold is 0.1; momentum 0.5. From scale 1:
    # 1 - 0.5 * 0.4 = 0.8, less 0.1: z = 0.7; v = 0.7 - 1 = -0.3; scale = 0.7 + 0.5 * -0.3 = 0.55.
    # 0.55 - 0.5 * 0.7 = 0.2, less 0.1: z = 0.1; v = 0.1 - 0.55 + 0.5 * -0.3 = -0.6; scale = 0.1 - 0.3 = -0.2.
    # -0.2 is within... -0.2 + 0.1: z = -0.1; v = -0.1 + 0.2 + 0.5 * -0.6 = -0.2; scale = -0.1 - 0.1 = -0.2.
    found = move(selection(small, shape, strength=0.2, momentum=0.5), [0.4, 0.7, 0.0], 0.5)
    assert found == pytest.approx([0.55, -0.2, -0.2], abs=1e-6)


def test_a_scale_that_the_threshold_reaches_comes_to_rest_at_exact_zero(small, shape, selection):
    # Without a gradient a scale falls by 0.3 per step, faster with momentum, and is below the threshold at some point.
    # Two steps with z = 0 cancel: v = 0 - mu v + mu v = 0, so that scale = 0.
    found = move(selection(small, shape, strength=3.0, momentum=0.5), [0.0] * 12, 0.1)
    assert found[-3:] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("structures", ["channels", "blocks"])
def test_scales_at_one_change_nothing(residual, image, structures, selection):
    residual.eval()
    expected = residual(image)
    selection(residual, (1, 8, 8), structures)
    assert torch.equal(residual(image), expected)


def randomised(network, select):
    """Scales at random, some at zero; norms too, so that no factor hides behind a one."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
    each = select(network)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for number, scale in enumerate(each.scales.values()):
            scale.copy_(torch.rand(len(scale), generator=generator) + 0.5)
            scale[number % len(scale) if len(scale) > 1 or number % 2 else slice(0, 0)] = 0
    return each


@pytest.mark.parametrize(
    ("network", "arguments", "structures"),
    [
        ("resnet", RESIDUAL, "channels"),
        ("resnet", RESIDUAL, "blocks"),
        ("preresnet", PREACTIVATION, "channels"),
        ("preresnet", PREACTIVATION, "blocks"),
    ],
)
def test_folding_keeps_the_function_and_empties_what_is_at_zero(network, arguments, structures, image, selection):
    model = build(network, arguments).double()
    each = randomised(model, lambda model: selection(model, (1, 8, 8), structures))
    model.eval()
    expected, names = model(image.double()), build(network, arguments).state_dict().keys()
    scales = {name: scale.clone() for name, scale in each.scales.items()}
    each.after_training()
    assert model.state_dict().keys() == names
    torch.testing.assert_close(model(image.double()), expected, rtol=1e-12, atol=1e-12)
    assert any((scale == 0).any() for scale in scales.values())
    for name, scale in scales.items() if structures == "channels" else ():
        filters = model.get_submodule(name).weight.flatten(1).norm(dim=1)
        assert torch.equal(filters == 0, scale == 0)


def test_a_channel_is_scaled_where_it_is_read(small, shape, selection):
    weight = small.second.weight.clone()
    each = selection(small, shape)
    with torch.no_grad():
        each.scales["first"].copy_(torch.tensor([2.0, 0.5, 1.0]))
    assert torch.equal(small.second.weight, weight * torch.tensor([2.0, 0.5, 1.0]).view(1, 3, 1, 1))


def test_a_block_at_zero_is_its_shortcut(residual, selection):
    each = selection(residual, (1, 8, 8), "blocks")
    with torch.no_grad():
        each.scales["layer1.1.conv2"].zero_()
    each.after_training()
    block = residual.layer1[1].eval()
    features = torch.rand(2, 3, 8, 8)
    assert torch.equal(block(features), features)  # which are not negative, so that the ReLU behind the sum is silent
    assert not block.conv1.weight.any()


def test_branches_are_what_is_added_to_shortcuts(residual, map_of):
    assert [branch.end for branch in residual_branches(map_of(residual, (1, 8, 8)))] == [
        "layer1.0.conv2",
        "layer1.1.conv2",
        "layer2.0.conv2",
        "layer2.1.conv2",
    ]


def test_branches_of_bottlenecks_have_two_groups_inside(map_of):
    channel_map = map_of(build("preresnet", PREACTIVATION), (1, 8, 8))
    branches = residual_branches(channel_map)
    assert [branch.end for branch in branches] == [f"stages.{stage}.0.conv3" for stage in range(3)]
    assert [channel_map.groups[index].name for index in branches[0].inner] == ["stages.0.0.conv2", "stages.0.0.conv1"]


def test_a_network_without_blocks_is_refused(small, shape, selection):
    with pytest.raises(BadInputError, match="no blocks that could have a scale"):
        selection(small, shape, "blocks")


def test_a_block_that_ends_in_a_norm_without_weights_has_no_scale(residual, selection):
    residual.layer1[1].bn2 = nn.BatchNorm2d(3, affine=False)
    assert list(selection(residual, (1, 8, 8), "blocks").scales) == [
        "layer1.0.conv2",
        "layer2.0.conv2",
        "layer2.1.conv2",
    ]


def test_where_all_blocks_do_there_are_none(residual, selection):
    for block in (*residual.layer1, *residual.layer2):
        block.bn2 = nn.BatchNorm2d(block.bn2.num_features, affine=False)
    with pytest.raises(BadInputError, match="no blocks that could have a scale"):
        selection(residual, (1, 8, 8), "blocks")


def test_a_training_brings_channels_to_zero_that_help_nothing(small, shape, follow, selection):
    recipe = Recipe(epochs=30, batch_size=8, learning_rate=0.1, weight_decay=0.0, schedule="constant")
    with torch.no_grad():
        small.head.weight[:, 2:] = 0  # nothing is made of the last two channels
    small.head.requires_grad_(False)
    follow(small, selection(small, shape, strength=0.05), recipe=recipe)
    gone = [not each.any() for each in small.second.weight]
    assert gone[2:] == [True, True]
    assert not all(gone[:2])
