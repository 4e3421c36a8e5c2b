import pytest
import torch
from torch import nn

from workers.models import build
from workers.models._initialise import initialise


def test_weights_have_the_variance_of_two_over_inputs_and_biases_are_zero():
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 64, 3)
    initialise(nn.Sequential(layer))
    # 32 * 9 = 288 inputs; of 18,432 weights the standard deviation is known to 0.5 %.
    assert layer.weight.std().item() == pytest.approx((2 / 288) ** 0.5, rel=0.03)
    assert not layer.bias.any()


def test_linear_layers_stay_as_torch_makes_them():
    layer = nn.Linear(4, 3)
    before = layer.weight.clone()
    initialise(nn.Sequential(layer))
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("name", ["cifar_resnet20", "cifar_vgg11_bn", "densenet40", "nin", "preresnet"])
def test_networks_start_with_it(name):
    torch.manual_seed(0)
    model = build(name, {"depth": 29} if name == "preresnet" else {})
    convolutions = [each for each in model.modules() if isinstance(each, nn.Conv2d) and each.weight.numel() > 5_000]
    assert convolutions
    for each in convolutions:
        # Of more than 5,000 weights the standard deviation is known to 1 %.
        assert each.weight.std().item() == pytest.approx((2 / each.weight[0].numel()) ** 0.5, rel=0.05)


def test_without_batch_norm_the_signal_neither_vanishes_nor_explodes():
    torch.manual_seed(0)
    model, sizes = build("nin").eval(), []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _i, out: sizes.append(out.std().item()))
    model(torch.randn(4, 3, 32, 32))
    # torch's own initialisation ends at a two-hundredth of the first layer's size or less; pooling takes some, too.
    assert 0.2 < sizes[-1] / sizes[0] < 2
