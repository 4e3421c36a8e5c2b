import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.models import build


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
