import pytest
import torch
from torch import nn


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
