import torch
from torch import nn

from workers.models import build


def test_has_the_published_number_of_parameters(num_parameters):
    # Weights and a bias per map: 5x5 3-192 14,592; 192-160 30,880; 160-96 15,456; 5x5 96-192 460,992; twice 192-192
    # 37,056; 3x3 192-192 331,968; 192-192 37,056; 192-10 1,930. The paper (table 4's network) is known as 0.97 M.
    assert 14_592 + 30_880 + 15_456 + 460_992 + 2 * 37_056 + 331_968 + 37_056 + 1_930 == 966_986
    assert num_parameters(build("nin")) == 966_986


def test_each_pooling_halves_the_side():
    model, sides = build("nin"), []
    for module in model.modules():
        if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
            module.register_forward_hook(lambda _m, _i, out: sides.append(out.shape[-1]))
    model(torch.zeros(2, 3, 32, 32))
    assert sides == [16, 8]


def test_a_logit_can_be_negative():
    torch.manual_seed(0)
    assert (build("nin").eval()(torch.rand(4, 3, 32, 32)) < 0).any()
