"""Criteria of weights alone, by hand on the filters (3, 4), (0, 5) and (-6, 8)."""

import math

import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.models import build


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


def test_batchnorm_scale_is_the_absolute_gamma(judge):
    module = build("plain", {"widths": [3], "in_channels": 1})
    norm = next(layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d))
    norm.weight.data = torch.tensor([0.5, -2.0, 0.0])
    norm.bias.data.fill_(7)
    assert next(iter(judge("batchnorm-scale", module).values())).tolist() == [0.5, 2, 0]


def test_batchnorm_scale_of_a_residual_group_sums_its_norms(judge):
    module = build("resnet", {"widths": [4], "in_channels": 1})
    module.bn1.weight.data = torch.tensor([1.0, 2, 3, 4])
    module.layer1[0].bn2.weight.data = torch.tensor([-1.0, 0, 1, 0])
    assert judge("batchnorm-scale", module)["conv1"].tolist() == [2, 2, 4, 4]


def test_batchnorm_scale_without_a_batch_norm_is_an_error(judge, three_filters):
    with pytest.raises(BadInputError, match="no batch norm with a scale follows 0; score this network by another"):
        judge("batchnorm-scale", three_filters)


def test_synflow_is_the_flow_through_a_unit(judge):
    # Ones come in; |filters| (1, 2), (3, 0); then |weights| 5 and 7. R = (1 + 2) 5 + 3 x 7: a term for each unit.
    module = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    module[1].weight.data = torch.tensor([[1.0, -2.0], [-3.0, 0.0]])
    module[3].weight.data = torch.tensor([[-5.0, 7.0]])
    assert judge("synflow", module, (1, 1, 2))["1"].tolist() == [15, 21]


def test_synflow_goes_through_batch_norms_as_through_scales(judge):
    # gamma / sqrt(variance + eps) = 4 / 2 and the mean is ignored: a unit of |w| = 3 before |w| = 5 has 3 x 2 x 5.
    module = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2, eps=0.0), nn.ReLU(), nn.Conv2d(2, 1, 1))
    nn.init.constant_(module[0].weight, -3)
    nn.init.constant_(module[3].weight, 5)
    module[1].weight.data.fill_(-4)
    module[1].running_var.fill_(4)
    module[1].running_mean.fill_(100)
    assert judge("synflow", module, (1, 1, 1))["0"].tolist() == pytest.approx([30, 30])


def test_synflow_survives_depth(judge):
    # In single precision 60 layers that multiply by 10 would overflow.
    module = nn.Sequential(*(nn.Conv2d(1 if n == 0 else 10, 10, 1) for n in range(60)), nn.Conv2d(10, 1, 1))
    for layer in module:
        nn.init.constant_(layer.weight, 1)
    assert all(values.isfinite().all() for values in judge("synflow", module, (1, 1, 1)).values())


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
