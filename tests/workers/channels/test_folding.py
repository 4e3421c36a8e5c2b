import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from workers.channels import (
    apply_folding_structure,
    can_unfold,
    find_groups,
    fold_batchnorm,
    fold_model,
    fold_state,
    load_resized,
    norm_eps,
    unfold_state,
)
from workers.integral.outputs import measure_outputs

SHAPE = (3, 8, 8)


def test_the_folded_network_computes_the_same(network, image):
    expected = network(image)
    fold_model(network, SHAPE)
    torch.testing.assert_close(network(image), expected, rtol=1e-10, atol=1e-12)


def test_float32_agrees_to_1e_5(residual, image):
    residual.float()
    expected = residual(image.float())
    fold_model(residual, SHAPE)
    assert (residual(image.float()) - expected).norm() < 1e-5 * expected.norm()


def test_pairs_are_layers_with_the_norm_that_follows(plain):
    assert fold_batchnorm(plain, SHAPE) == [("conv1", "bn1"), ("conv2", "bn2")]


def test_a_norm_that_is_not_the_only_reader_stays(dense):
    # `stem` and `conv1` are concatenated before a norm reads them
    assert fold_batchnorm(dense, SHAPE) == []


def test_folding_leaves_the_groups_as_they_were(network, known_map):
    before = known_map(network).widths()
    fold_model(network, SHAPE)
    assert find_groups(network, SHAPE).widths() == before


def test_folding_from_structure_and_state(plain, image):
    plain.bn1.eps, plain.train(True).conv2.weight.requires_grad = 0.1, False
    pairs = fold_batchnorm(plain, SHAPE)
    assert plain.bn1.training
    state = fold_state(plain.state_dict(), pairs, norm_eps(plain, pairs))
    with torch.device("meta"):
        rebuilt = type(plain)()
    apply_folding_structure(rebuilt, pairs)
    assert isinstance(rebuilt.bn1, nn.Identity)
    load_resized(rebuilt, state)
    torch.testing.assert_close(rebuilt.eval()(image), plain.eval()(image))


def test_a_new_bias_is_as_trainable_as_its_weight(plain):
    plain.conv2.weight.requires_grad_(False)
    fold_model(plain, SHAPE)
    assert plain.conv2.bias.requires_grad is False
    assert plain.conv1.bias.requires_grad is True


@pytest.mark.parametrize(
    ("norm", "pairs"),
    [
        (nn.BatchNorm1d(5, affine=False), [("0", "1")]),
        (nn.BatchNorm1d(5, track_running_stats=False), []),  # computes with the batch, even in eval
    ],
)
def test_linear_layers(norm, pairs):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5, bias=False), norm, nn.Linear(5, 2)).double().eval()
    if norm.running_var is not None:
        norm.running_var.uniform_(1, 2)
        norm.running_mean.normal_()
    x = torch.randn(4, 3, dtype=torch.float64)
    expected = model(x)
    assert fold_model(model, (3,)) == pairs
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize("bias", [False, True])
def test_the_unfolded_network_computes_the_same_and_on_the_same_images_in_training_too(plain, image, bias):
    if bias:
        plain.conv1.bias = nn.Parameter(torch.randn(plain.conv1.out_channels, dtype=torch.float64))
    whole, folded = copy.deepcopy(plain), copy.deepcopy(plain)
    pairs = fold_model(folded, SHAPE)
    found = measure_outputs({layer: folded.get_submodule(layer) for layer, _ in pairs}, lambda: folded(image))
    whole.load_state_dict(unfold_state(folded.state_dict(), pairs, found.means, found.variances, whole))
    expected = folded(image)
    torch.testing.assert_close(whole(image), expected, rtol=1e-5, atol=1e-5)  # moments are in float32
    torch.testing.assert_close(whole.train()(image), expected, rtol=1e-5, atol=1e-5)
    # ... where the statistics of the network before it was folded are not those of the images
    assert not torch.allclose(plain.train()(image), expected, rtol=1e-2)


def test_unfolded_weights_have_unit_norm_but_those_that_are_zero(plain, image):
    whole, folded = copy.deepcopy(plain), copy.deepcopy(plain)
    pairs = fold_model(folded, SHAPE)
    with torch.no_grad():
        folded.conv1.weight[1:] *= torch.tensor(50.0)
        folded.conv1.weight[0] = 0.0
    found = measure_outputs({layer: folded.get_submodule(layer) for layer, _ in pairs}, lambda: folded(image))
    state = unfold_state(folded.state_dict(), pairs, found.means, found.variances, whole)
    for layer, _ in pairs:
        lengths = torch.linalg.vector_norm(state[f"{layer}.weight"].flatten(1), dim=1)
        expected = torch.ones_like(lengths)
        if layer == "conv1":
            expected[0] = 0.0
        torch.testing.assert_close(lengths, expected)
    whole.load_state_dict(state)
    torch.testing.assert_close(whole(image), folded(image), rtol=1e-5, atol=1e-4)


def test_norms_that_learn_no_scale_or_no_shift_stay_folded():
    shiftless = nn.BatchNorm2d(3)
    shiftless.register_parameter("bias", None)
    network = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3, affine=False), shiftless)
    assert [can_unfold(network, name) for name in "012"] == [True, False, False]


def test_a_norm_along_another_axis_stays():
    assert fold_batchnorm(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)), (5, 3)) == []


def test_a_weight_used_twice_stays():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x):
            return self.norm(self.conv(x)) + functional.conv2d(x, self.conv.weight)

    assert fold_batchnorm(Twice(), SHAPE) == []


def test_folding_twice_is_an_error_that_says_so(plain):
    pairs = fold_model(plain, SHAPE)
    with pytest.raises(ValueError, match="bn1: expected a batch norm, found Identity"):
        norm_eps(plain, pairs)


class Doubling(nn.BatchNorm2d):
    def forward(self, x):
        return 2 * super().forward(x)


class Holding(nn.BatchNorm2d):
    """It does not call what it holds."""

    def __init__(self, width):
        super().__init__(width)
        self.act = nn.ReLU()


@pytest.mark.parametrize("kind", [Doubling, Holding])
def test_a_norm_that_may_compute_something_else_stays(kind):
    assert fold_batchnorm(nn.Sequential(nn.Conv2d(3, 4, 1), kind(4)), SHAPE) == []


def test_a_subclass_that_computes_as_torchs_own_is_folded():
    class Named(nn.BatchNorm2d):
        pass

    for norm in (Named(4), nn.SyncBatchNorm(4)):
        assert fold_batchnorm(nn.Sequential(nn.Conv2d(3, 4, 1), norm), SHAPE) == [("0", "1")]


@pytest.mark.parametrize("own", ["conv", "norm"])
def test_what_is_computed_in_place_of_a_layer_or_a_norm_stays(own):
    class Merged(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

        def forward(self, x):
            x = self.conv(x) if own == "conv" else functional.conv2d(x, self.conv.weight, self.conv.bias)
            if own == "norm":
                return self.norm(x)
            norm = self.norm
            return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)

    assert fold_batchnorm(Merged(), SHAPE) == []


def test_the_activation_of_a_timm_norm_stays_when_it_is_folded_and_comes_back_with_it(image):
    layers = pytest.importorskip("timm.layers", reason="the extra timm is not installed")
    torch.manual_seed(0)
    norm = layers.BatchNormAct2d(4, act_layer=nn.PReLU)
    whole = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), norm, nn.Conv2d(4, 2, 1)).double().eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(1, 2)
    folded = copy.deepcopy(whole)
    pairs = fold_model(folded, SHAPE)
    assert pairs == [("0", "1")]
    assert "1.act.weight" in folded.state_dict()
    torch.testing.assert_close(folded(image), whole(image))
    found = measure_outputs({"0": folded[0]}, lambda: folded(image))
    whole.load_state_dict(unfold_state(folded.state_dict(), pairs, found.means, found.variances, whole))
    torch.testing.assert_close(whole(image), folded(image), rtol=1e-5, atol=1e-5)
