"""Criteria of weights alone, by hand on the filters (3, 4), (0, 5) and (-6, 8); and the control, which sees none."""

import math

import pytest
import torch
from torch import nn

from workers.models import build


def absolute(weight, axis=0):
    """Sum of |W| per channel of an axis."""
    return weight.detach().double().abs().movedim(axis, 0).flatten(1).sum(1)


def test_by_l1_a_filter_is_worth_the_sum_of_its_absolute_weights(judge, three_filters):
    three_filters[0].bias.data.fill_(100)  # counts no more than the layer that reads the channels
    three_filters[2].weight.data.fill_(100)
    assert {name: values.tolist() for name, values in judge("l1", three_filters).items()} == {"0": [7, 5, 14]}


def test_by_l1_a_residual_group_sums_all_layers_that_write_to_it(judge):
    module = build("resnet", {"widths": [4], "in_channels": 1})
    scores = judge("l1", module)
    assert scores.keys() == {"conv1", "layer1.0.conv1"}
    together = absolute(module.conv1.weight) + absolute(module.layer1[0].conv2.weight)
    torch.testing.assert_close(scores["conv1"], together)
    torch.testing.assert_close(scores["layer1.0.conv1"], absolute(module.layer1[0].conv1.weight))


def test_in_l1_norms_do_not_count(judge):
    module = build("plain", {"widths": [4, 6], "in_channels": 1})
    before = judge("l1", module)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight)
            layer.running_mean.normal_()
    assert all(torch.equal(values, before[name]) for name, values in judge("l1", module).items())


def test_in_l1_linear_layers_count_too(judge):
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, 3))
    torch.testing.assert_close(judge("l1", module)["1"], absolute(module[1].weight))


def test_by_l1_a_unit_of_two_channels_is_worth_both(judge):
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


def test_l2_is_the_euclidean_norm(judge, three_filters):
    assert judge("l2", three_filters)["0"].tolist() == [5, 5, 10]


def test_l2_of_a_residual_group_is_that_of_all_its_layers_together(judge):
    module = build("resnet", {"widths": [4], "in_channels": 1})
    both = torch.cat([module.conv1.weight.flatten(1), module.layer1[0].conv2.weight.flatten(1)], dim=1)
    torch.testing.assert_close(judge("l2", module)["conv1"], both.detach().double().norm(dim=1))


def test_fpgm_is_the_distance_to_all_others(judge, three_filters):
    # (3,4)-(0,5): sqrt(10); (3,4)-(-6,8): sqrt(97); (0,5)-(-6,8): sqrt(45). The middle one is least.
    near, far, middle = math.sqrt(10), math.sqrt(97), math.sqrt(45)
    expected = [near + far, near + middle, far + middle]
    assert judge("fpgm", three_filters)["0"].tolist() == pytest.approx(expected)


def test_lamp_is_the_share_of_all_that_are_as_large(judge, three_filters):
    # Squares 25, 25 and 100. The largest has 100/100; of two equal ones the first ranks before the second.
    scores = judge("lamp", three_filters)["0"].tolist()
    assert scores == pytest.approx([25 / 125, 25 / 150, 1])


def test_unit_norm_is_that_of_all_that_makes_and_reads_a_unit(judge, three_filters):
    # Squares of the filters 25, 25, 100; of the biases 1, 0, 4; of the two weights that read each 10, 0, 40.
    three_filters[0].bias.data = torch.tensor([-1.0, 0.0, 2.0])
    three_filters[2].weight.data = torch.tensor([[1.0, 0.0, 2.0], [3.0, 0.0, -6.0]]).view(2, 3, 1, 1)
    assert judge("unit-norm", three_filters)["0"].tolist() == pytest.approx([6, 5, 12])


def test_of_a_selected_channel_the_filter_is_what_reads_it(judge):
    module = build("densenet", {"growth": 3, "layers": 2, "in_channels": 1, "channel_selection": True})
    scores = judge("l1", module)
    read = module.features.block1[1].conv.weight.detach().double()
    torch.testing.assert_close(scores["features.block1.1.select.index"], read.abs().sum((0, 2, 3)))


def draw(judge, seed, init=0):
    torch.manual_seed(init)
    return judge("random", build("plain", {"widths": [4, 6], "in_channels": 1}), seed=seed)


def listed(scores):
    return {name: values.tolist() for name, values in scores.items()}


def test_at_random_the_generator_decides(judge):
    assert listed(draw(judge, 0)) == listed(draw(judge, 0))
    assert listed(draw(judge, 0)) != listed(draw(judge, 1))


def test_at_random_the_weights_do_not_matter(judge):
    assert listed(draw(judge, 0, init=0)) == listed(draw(judge, 0, init=1))


def test_at_random_groups_draw_independently(judge):
    first, second = draw(judge, 0).values()
    assert not torch.equal(first, second[: len(first)])


def test_at_random_the_global_generator_is_not_drawn_on(judge):
    module = build("plain", {"widths": [4], "in_channels": 1}).eval()
    before = torch.get_rng_state()
    judge("random", module)
    assert torch.equal(torch.get_rng_state(), before)
