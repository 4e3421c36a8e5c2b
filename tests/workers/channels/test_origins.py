"""Where sizes in a network's code come from."""

import copy
import pickle

import pytest
import torch
from torch import nn

from workers.channels.origins import AxisOf, name_numbers, serial_of, sized_axes
from workers.channels.trace import Example, meta_copy, trace


class Sized(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts, self.layer = (2, 4), nn.Linear(3, 6)

    def forward(self, x):
        y = self.layer(x)
        one, _ = y.split(self.parts, -1)
        return x.reshape(y.size(0), -1), one.expand(*y.shape[:-1], 2), y * y.shape[1]


@pytest.fixture(scope="module")
def graph():
    return trace(meta_copy(Sized()), Example(subject="it", args=(torch.empty(2, 5, 3, device="meta"),))).graph


def found(graph, name):
    (node,) = (node for node in graph.nodes if str(node.target).startswith(f"aten.{name}."))
    return [(each.part, each.axis, each.origin) for each in sized_axes(node)]


def test_a_length_is_from_the_axis_of_a_call(graph):
    (linear,) = (node for node in graph.nodes if str(node.target).startswith("aten.linear."))
    assert found(graph, "reshape") == [(0, 0, AxisOf(serial_of(linear), 0))]
    assert found(graph, "expand") == [(0, axis, AxisOf(serial_of(linear), axis)) for axis in (0, 1)]


def test_a_length_is_from_a_number_in_a_module(graph):
    assert found(graph, "split_with_sizes") == [(0, 2, ("", "parts", 0)), (1, 2, ("", "parts", 1))]


def test_a_size_that_is_computed_with_is_no_length(graph):
    assert found(graph, "mul") == []


def test_numbers_stay_numbers():
    module = Sized()
    name_numbers(module)
    assert module.parts == (2, 4)
    assert all(
        type(number) is int for number in (*copy.deepcopy(module.parts), *pickle.loads(pickle.dumps(module.parts)))
    )


class Strict(nn.Module):
    """Code that takes no subclass of a whole number."""

    def __init__(self):
        super().__init__()
        self.width = 6

    def forward(self, x):
        if type(self.width) is not int:
            raise TypeError(self.width)
        return x.view(-1, self.width)


def test_code_that_takes_only_plain_numbers_is_traced_without_them():
    graph = trace(Strict(), Example(subject="it", args=(torch.empty(2, 3, 6, device="meta"),))).graph
    assert found(graph, "view") == []
