from dataclasses import replace

import numpy as np
import pytest
import torch

from workers.channels import AxisLayout, map_units, restrict
from workers.integral.axes import AxisMap, with_widths

CPU = torch.device("cpu")


def layout(*positions, role="output"):
    """From (group, unit) pairs; (-1, -1) is no channel."""
    groups, units = np.array(positions, dtype=np.int64).T
    return AxisLayout(role=role, groups=groups.copy(), units=units.copy())


def flattened(width):
    return layout(*[(0, unit) for unit in range(width) for _ in range(2)])


def repeated(width):
    """Concatenated with itself, behind a position that is no channel."""
    return layout((-1, -1), *[(0, unit) for _ in range(2) for unit in range(width)])


def mixed(width):
    """Two groups on one axis; the second keeps its three units."""
    return layout(*[(0, unit) for unit in range(width)], *[(1, unit) for unit in range(3)])


@pytest.mark.parametrize("make", [flattened, repeated, mixed])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_it_is_map_units(make, size):
    old, matrix = make(4), torch.randn(size, 4, generator=torch.Generator().manual_seed(0))
    tensor = torch.randn(3, old.groups.size, 2)
    expected = map_units(tensor, [old, old, old], 1, 0, matrix)
    axis_map = AxisMap(old, make(size), frozenset({0}), CPU)
    assert axis_map.groups == [0]
    torch.testing.assert_close(axis_map(tensor, 1, {0: lambda rows: matrix @ rows}), expected)


def test_both_groups_of_an_axis_at_once():
    old, new = mixed(4), layout((0, 0), (0, 1), (1, 0))
    first, second = torch.randn(2, 4), torch.randn(1, 3)
    tensor = torch.randn(7, 5)
    expected = map_units(map_units(tensor, [old], 0, 0, first), [mixed(2)], 0, 1, second)
    functions = {0: lambda rows: first @ rows, 1: lambda rows: second @ rows}
    found = AxisMap(old, new, frozenset({0, 1}), CPU)(tensor, 0, functions)
    torch.testing.assert_close(found, expected)


def test_more_units_than_before():
    matrix = torch.randn(6, 4)
    tensor = torch.arange(8.0)
    found = AxisMap(flattened(4), flattened(6), frozenset({0}), CPU)(tensor, 0, {0: lambda rows: matrix @ rows})
    torch.testing.assert_close(found.reshape(6, 2), matrix @ tensor.reshape(4, 2))


def test_gradients_reach_the_old_tensor():
    axis_map = AxisMap(repeated(4), repeated(2), frozenset({0}), CPU)
    matrix = torch.randn(2, 4, dtype=torch.float64)
    tensor = torch.randn(9, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: axis_map(each, 0, {0: lambda rows: matrix @ rows}), (tensor,))


def test_narrower_it_is_the_map_of_the_cut_network(network):
    _, channel_map = network
    widths = {name: max(1, width // 2) for name, width in channel_map.widths().items()}
    assert with_widths(channel_map, widths) == restrict(channel_map, widths)


def test_wider_it_is_the_map_of_the_wider_network(network):
    # Cutting back what was added gives the map again; all units of a group occur equally often.
    _, channel_map = network
    widths = {name: width + 3 for name, width in channel_map.widths().items()}
    wider = with_widths(channel_map, widths)
    assert wider.widths() == widths
    assert restrict(wider, channel_map.widths()) == channel_map
    for axes in wider.tensors.values():
        for axis in axes:
            assert all(len(axis.positions(group)) == wider.groups[group].width for group in axis.present())


@pytest.mark.parametrize("laid_out", [flattened, repeated, mixed])
def test_new_units_stand_behind_the_last_one(laid_out, make):
    _, channel_map = make("flattened")
    small = replace(channel_map, tensors={"weight": (laid_out(3),)})
    (found,) = with_widths(small, {channel_map.groups[0].name: 5}).tensors["weight"]
    assert found == laid_out(5)


def test_widths_that_are_none(make):
    _, channel_map = make("flattened")
    with pytest.raises(ValueError, match="at least 1"):
        with_widths(channel_map, {"2": 0})
    with pytest.raises(ValueError, match="no channel group 'nowhere'"):
        with_widths(channel_map, {"nowhere": 2})
