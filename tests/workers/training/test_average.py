import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from workers.training.average import MovingAverage


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_it_is_torchs_with_the_statistics_of_norms():
    model = network()
    average, expected = (
        MovingAverage(model, 0.8),
        AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8), use_buffers=True),
    )
    for _ in range(3):
        model(torch.rand(4, 2) + 1)
        with torch.no_grad():
            model[0].weight.add_(1.0)
        average.update()
        expected.update_parameters(model)
    for name, tensor in expected.module.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(average.tensors[name], tensor)
    assert average.tensors["1.num_batches_tracked"] == 3


def test_a_network_has_its_own_weights_again_after_the_average_was_in_use():
    model = network()
    average = MovingAverage(model, 0.5)
    before = model[0].weight.detach().clone()
    average.tensors["0.weight"].fill_(7.0)
    with average.in_use():
        assert bool((model[0].weight == 7.0).all())
    assert torch.equal(model[0].weight, before)
