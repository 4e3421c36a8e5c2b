import torch
from torch import nn

from workers.models import build


def absolute(weight, axis=0):
    """Sum of |W| per channel of an axis."""
    return weight.detach().double().abs().movedim(axis, 0).flatten(1).sum(1)


def test_a_filter_is_worth_the_sum_of_its_absolute_weights(judge, three_filters):
    three_filters[0].bias.data.fill_(100)  # counts no more than the layer that reads the channels
    three_filters[2].weight.data.fill_(100)
    assert {name: values.tolist() for name, values in judge("l1", three_filters).items()} == {"0": [7, 5, 14]}


def test_a_residual_group_sums_all_layers_that_write_to_it(judge):
    module = build("resnet", {"widths": [4], "in_channels": 1})
    scores = judge("l1", module)
    assert scores.keys() == {"conv1", "layer1.0.conv1"}
    together = absolute(module.conv1.weight) + absolute(module.layer1[0].conv2.weight)
    torch.testing.assert_close(scores["conv1"], together)
    torch.testing.assert_close(scores["layer1.0.conv1"], absolute(module.layer1[0].conv1.weight))


def test_norms_do_not_count(judge):
    module = build("plain", {"widths": [4, 6], "in_channels": 1})
    before = judge("l1", module)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight)
            layer.running_mean.normal_()
    assert all(torch.equal(values, before[name]) for name, values in judge("l1", module).items())


def test_linear_layers_count_too(judge):
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, 3))
    torch.testing.assert_close(judge("l1", module)["1"], absolute(module[1].weight))


def test_a_unit_of_two_channels_is_worth_both(judge):
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.last = nn.Conv2d(1, 6, 3), nn.Conv2d(3, 2, 3)

        def forward(self, x):
            value, gate = self.wide(x).chunk(2, 1)
            return self.last(value * gate.sigmoid())

    module = Gated()
    torch.testing.assert_close(judge("l1", module)["wide"], absolute(module.wide.weight).view(2, 3).sum(0))


def test_the_outputs_of_a_transposed_convolution_are_on_its_second_axis(judge):
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 5, 2), nn.ReLU(), nn.Conv2d(5, 2, 3))
    scores = judge("l1", module)
    torch.testing.assert_close(scores["0"], absolute(module[0].weight))
    torch.testing.assert_close(scores["2"], absolute(module[2].weight, axis=1))
