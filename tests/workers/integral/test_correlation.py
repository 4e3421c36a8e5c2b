"""Correlations by hand, and behind a ReLU those of drawn numbers."""

import math

import pytest
import torch
from torch import nn

from workers.channels import find_groups
from workers.integral.correlation import correlations, variances

NETWORK = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
MAP = find_groups(NETWORK, (2,))


def alike(rows):
    return correlations({"0.weight": torch.tensor(rows)}, MAP)[0]


@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.6])
def test_behind_a_relu_they_are_those_of_numbers_that_are_cut_at_0(rho):
    rows = torch.tensor([[1.0, 0.0], [rho, math.sqrt(1 - rho * rho)]])
    drawn = torch.randn(2, 100_000, generator=torch.Generator().manual_seed(0))
    expected = torch.corrcoef((rows @ drawn).clamp_min(0))[0, 1]
    assert alike(rows.tolist())[0, 1].item() == pytest.approx(expected.item(), abs=0.01)


def test_equal_slices_of_any_length_are_fully_correlated():
    torch.testing.assert_close(alike([[1.0, 2.0], [2.0, 4.0]]), torch.ones(2, 2), atol=1e-5, rtol=0)


def test_the_variance_of_a_sum_of_correlated_inputs():
    rho = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    weight, layouts = torch.tensor([[2.0, 3.0]]), MAP.tensors["1.weight"]
    assert variances(weight, layouts, {0: rho}).item() == 4 + 9 + 2 * 0.5 * 6
    assert variances(weight, layouts, {}).item() == 4 + 9
