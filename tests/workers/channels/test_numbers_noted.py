"""Numbers that code puts into tensors must not change with the widths, as others in the code."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from workers.channels import find_groups
from workers.channels.exporting import exported
from workers.channels.numbers_noted import numbers_noted


class Scaled(nn.Module):
    """The results of a layer, times what a function makes of them."""

    def __init__(self, function):
        super().__init__()
        self.one, self.two, self.function = nn.Linear(4, 8), nn.Linear(8, 2), function

    def forward(self, x):
        y = self.one(x)
        return self.two(y * self.function(y))


MAKERS = {
    "number": lambda y: math.sqrt(y.shape[-1]),
    "tensor": lambda y: torch.sqrt(torch.tensor(y.shape[-1])),
    "on its device": lambda y: torch.tensor([y.shape[-1] ** 0.5], device=y.device),
    "as_tensor": lambda y: torch.as_tensor(y.size(-1), device=y.device),
    "new_tensor": lambda y: y.new_tensor(y.shape[-1]),
    "FloatTensor": lambda y: torch.FloatTensor([y.shape[-1]]).to(y.device),
    "scalar_tensor": lambda y: torch.scalar_tensor(y.shape[-1], device=y.device),
    "numpy": lambda y: torch.from_numpy(np.array([y.shape[-1]])).to(y),
    "complex": lambda y: torch.tensor(complex(y.shape[-1], 1)).to(y.device).abs(),
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_a_number_computed_from_a_width_keeps_the_channels(maker):
    found = find_groups(Scaled(maker), (4,))
    assert not found.groups
    assert found.refused[0].reason.endswith("computes with other numbers")


@pytest.mark.parametrize(
    "function",
    [
        lambda y: torch.tensor([0.5, math.nan])[0],
        lambda y: y.new_tensor(y.shape[0] ** -0.5),
        lambda y: torch.rand(1)[0],
        lambda y: y.view(len(y), int(torch.tensor(y.shape[1:]).prod())).sigmoid(),
        lambda y: torch.zeros(2000)[0],
    ],
    ids=["constant", "batch", "random", "size", "of many"],
)
def test_other_numbers_in_tensors_do_no_harm(function):
    assert find_groups(Scaled(function), (4,)).widths() == {"one": 8}


@pytest.mark.parametrize("maker", [MAKERS["tensor"], MAKERS["new_tensor"]])
def test_torch_export_notes_them_too(maker):
    graph, _ = exported(Scaled(maker).to("meta").eval(), (torch.empty(2, 4, device="meta"),), {}, noting=True)
    assert [numbers for node in graph.nodes if (numbers := numbers_noted(node))] == [(8.0,)]
