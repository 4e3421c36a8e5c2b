"""Numbers in modules that follow from the shapes of tensors."""

import copy

import pytest
import torch
from torch import nn

from workers.channels import ChannelMap, SizeAttribute, attach, find_groups, load_resized
from workers.channels.attributes import SizeTerm, numbers_of, set_number

TERM = SizeTerm(tensor="layer.weight", axis=0, times=1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.sizes, self.width, self.heads = nn.Linear(3, 8), [2, 6], 8, (4, 2)


def resized(attribute: SizeAttribute, *, rows: int) -> Block:
    block = Block()
    attach(block, [attribute])
    load_resized(block, {"layer.weight": torch.zeros(rows, 3), "layer.bias": torch.zeros(rows)})
    return block


def test_a_number_follows_from_the_length_of_an_axis():
    assert resized(SizeAttribute(module="", name="width", terms=(TERM,)), rows=5).width == 5


def test_an_entry_of_a_list_follows_and_the_list_stays_one():
    block = resized(SizeAttribute(module="", name="sizes", position=1, constant=-2, terms=(TERM,)), rows=5)
    assert block.sizes == [2, 3]


def test_an_entry_of_a_tuple_is_a_fraction_of_the_axis():
    block = resized(SizeAttribute(module="", name="heads", position=0, terms=(TERM,), over=2), rows=6)
    assert block.heads == (3, 2)


def test_a_network_within_another_keeps_its_numbers():
    block = Block()
    attach(block, [SizeAttribute(module="", name="width", terms=(TERM,))])
    outer = copy.deepcopy(nn.Sequential(block))
    load_resized(outer, {"0.layer.weight": torch.zeros(4, 3), "0.layer.bias": torch.zeros(4)})
    assert outer[0].width == 4


def test_numbers_are_whole_and_above_one():
    block = Block()
    block.ratio, block.flag, block.one, block.mixed = 2.0, True, 1, (2, "same")
    assert numbers_of(block) == {
        ("sizes", 0): 2,
        ("sizes", 1): 6,
        ("width", None): 8,
        ("heads", 0): 4,
        ("heads", 1): 2,
    }


@pytest.mark.parametrize(("name", "position", "expected"), [("width", None, 3), ("heads", 1, (4, 3))])
def test_numbers_are_set(name, position, expected):
    block = Block()
    set_number(block, name, position, 3)
    assert getattr(block, name) == expected


def test_a_map_keeps_its_numbers_as_json():
    class Halves(nn.Module):
        def __init__(self):
            super().__init__()
            self.width, self.one, self.two = 8, nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1)

        def forward(self, x):
            return self.two(self.one(x).reshape(len(x), self.width, -1)[..., None])

    found = find_groups(Halves(), (3, 4, 4))
    assert found.attributes == (
        SizeAttribute(module="", name="width", terms=(SizeTerm(tensor="one.weight", axis=0, times=1),)),
    )
    assert ChannelMap.from_json(found.to_json()).attributes == found.attributes
