"""Sizes by the spectrum of channels along their order."""

import math

import pytest
import torch
from torch import nn

from workers.allocation import ALLOCATIONS, AllocationProblem, allocate, spectra
from workers.channels import ParameterCount, find_groups
from workers.integral.spectrum import samples_for


def cosines(channels, frequency):
    """Energies of a function of one frequency."""
    return torch.nn.functional.one_hot(torch.tensor(frequency), channels).double()


@pytest.fixture
def problem():
    """Two groups of 16 channels."""
    layers = [nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)]
    channel_map = find_groups(nn.Sequential(*layers), (3,))

    def problem(target, energies):
        known = dict(zip(channel_map.widths(), energies, strict=True))
        cost = ParameterCount(channel_map)
        return AllocationProblem(channel_map=channel_map, target=target, cost=cost, spectra=lambda: known)

    return problem


def widths_of(question):
    return list(allocate(ALLOCATIONS["spectrum"], question).widths.values())


def test_a_group_that_varies_slowly_loses_more(problem):
    slow, fast = 1 / (1 + torch.arange(16.0).double()) ** 2, torch.ones(16).double()
    narrow, wide = widths_of(problem(0.4, [slow, fast]))
    assert narrow < wide


@pytest.mark.parametrize("target", [0.2, 0.5])
def test_all_groups_hold_the_same_share(problem, target):
    energies = [torch.rand(16, generator=torch.Generator().manual_seed(k)).double() for k in range(2)]
    found = allocate(ALLOCATIONS["spectrum"], problem(target, energies))
    assert abs(found.reached - target) < 0.03
    pairs = list(zip(energies, found.widths.values(), strict=True))
    least = min(float(each[1:width].sum() / each[1:].sum()) for each, width in pairs)
    assert all(samples_for(each, least) <= width for each, width in pairs)


def test_nothing_goes_at_zero(problem):
    assert widths_of(problem(0.0, [cosines(16, 15), cosines(16, 15)])) == [16, 16]


def test_spectra_are_those_of_the_slices_along_the_order():
    module = nn.Sequential(nn.Linear(1, 8, bias=False), nn.ReLU(), nn.Linear(8, 1, bias=False))
    wave = torch.cos(math.pi * 3 * (torch.arange(8) + 0.5) / 8)
    with torch.no_grad():
        module[0].weight.copy_(wave[:, None])
        module[2].weight.copy_(wave[None])
    [found] = spectra(module.state_dict(), find_groups(module, (1,))).values()
    assert found.argmax() == 3
    assert samples_for(found, 1 - 1e-6) == 4
