from collections import namedtuple
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from workers.nested import floats_of, leaves_of, map_tensors, returning_leaves

ONE, TWO, THREE = torch.ones(1), torch.ones(2), torch.ones(3)
Pair = namedtuple("Pair", ["one", "two"])


@dataclass
class Record:
    one: Any
    two: Any = None


PLAIN = [ONE, {"one": [ONE, (TWO, Pair(THREE, None))]}, Pair(TWO, {"two": ONE})]


@pytest.mark.parametrize("value", PLAIN)
def test_plain_structures_are_opened_as_torch_opens_them(value):
    ours, theirs = leaves_of(value), tree_leaves(value)
    assert len(ours) == len(theirs)
    assert all(one is other for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("value", [Record(ONE, [TWO]), {"a": Record(MappingProxyType({"b": ONE})), "c": TWO}])
def test_dataclasses_and_other_mappings_are_opened_too(value):
    assert [each.shape for each in floats_of(value)] == [(1,), (2,)]


def test_whole_numbers_and_what_is_no_tensor_are_no_fractions():
    assert floats_of([torch.arange(2), None, "name", TWO]) == [TWO]


def test_tensors_are_changed_and_the_structure_stays():
    doubled = map_tensors(lambda each: 2 * each, {"a": Record(Pair(ONE, 1), MappingProxyType({"b": TWO}))})
    assert isinstance(doubled["a"].one, Pair)
    assert (doubled["a"].one.one.tolist(), doubled["a"].one.two) == ([2], 1)
    assert doubled["a"].two["b"].tolist() == [2, 2]


class Returning(nn.Module):
    def forward(self, x, *, scale=1):
        return Record(x * scale, {"sum": x.sum()})


def test_a_dataclass_is_exported_as_a_list():
    network = Returning()
    with returning_leaves(network):
        program = torch.export.export(network, (TWO,), {"scale": ONE}).module()
    assert isinstance(network(TWO), Record)
    assert [each.tolist() for each in program(TWO, scale=3 * ONE)] == [[3, 3], 2]
