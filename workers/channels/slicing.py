"""Removes, reorders, masks and mixes channels of tensors by their layouts.

Pure functions of tensors and a `ChannelMap`, vectorised over channels. For modules see `rebuild`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from workers.channels.layout import AxisLayout, ChannelMap, Labels, OwnedAxis

UnitNumbers: TypeAlias = Tensor | np.ndarray | Sequence[int]


def select(state: Mapping[str, Tensor], channel_map: ChannelMap, index: Mapping[str, UnitNumbers]) -> dict[str, Tensor]:
    """Takes units of groups in a given order: a sorted subset removes, a full reordering permutes.

    The result is laid out as `restrict(channel_map, {name: len(units)})`: where that has the k-th occurrence of unit
    u on an axis, the result holds the k-th occurrence of unit `index[name][u]`. Tensors without a selected group are
    passed through, not copied.

    Args:
        state: a `state_dict`; extra entries are passed through.
        channel_map: its map.
        index: unit numbers by group name; a group that is not named stays whole and in order.

    Raises:
        ValueError: an unknown group, an empty selection, a unit number out of range or given twice, or a tensor that
            is missing or not of the map's shape.
    """
    chosen = check_index(channel_map, index)
    result = dict(state)
    for name, axes in channel_map.tensors.items():
        tensor = _tensor(state, channel_map, name)
        for number, axis in enumerate(axes):
            source = _source_positions(axis, chosen)
            if source is not None:
                tensor = tensor.index_select(number, _on(source, tensor))
        result[name] = tensor
    return result


def mask(state: Mapping[str, Tensor], channel_map: ChannelMap, index: Mapping[str, UnitNumbers]) -> dict[str, Tensor]:
    """Zeroes everything that the units *not* in `index` own, on every axis; shapes stay.

    What the network divides by becomes 1: running variances, and the map's `divisors`. The masked network's output
    equals that of the network that `select` makes, with an exception for groups that are `normalised` (see `absence`).

    Args:
        state: a `state_dict`; extra entries are passed through.
        channel_map: its map.
        index: numbers of the units that stay, by group name; a group that is not named stays whole.

    Raises:
        ValueError: as `select`.
    """
    ones = {name for name in channel_map.tensors if name in channel_map.divisors or is_running_variance(name)}
    return fill_removed(state, channel_map, index, lambda name, _: 1 if name in ones else 0)


def is_running_variance(name: str) -> bool:
    """Whether a tensor of this name is a running variance, which norms divide by."""
    return name.endswith("running_var")


def fill_removed(
    state: Mapping[str, Tensor],
    channel_map: ChannelMap,
    index: Mapping[str, UnitNumbers],
    number_for: Callable[[str, Tensor], float],
) -> dict[str, Tensor]:
    """Fills everything that the units *not* in `index` own, on every axis, with one number for each tensor.

    Args:
        state: a `state_dict`; extra entries are passed through.
        channel_map: its map.
        index: numbers of the units that stay, by group name; a group that is not named stays whole.
        number_for: from a tensor's name and the tensor to the number.

    Raises:
        ValueError: as `select`.
    """
    chosen = check_index(channel_map, index)
    result = dict(state)
    for name, axes in channel_map.tensors.items():
        tensor = _tensor(state, channel_map, name)
        for number, axis in enumerate(axes):
            dropped = np.zeros(axis.groups.size, dtype=bool)
            for group, units in chosen.items():
                dropped |= (axis.groups == group) & ~np.isin(axis.units, units)
            if dropped.any():
                positions = _on(np.flatnonzero(dropped), tensor)
                tensor = tensor.index_fill(number, positions, number_for(name, tensor))
        result[name] = tensor
    return result


def unit_slices(
    tensor: Shaped[Tensor, " *shape"], layouts: Sequence[AxisLayout], axis: int, group_index: int
) -> Shaped[Tensor, "width features"]:
    """Row u holds all entries of a tensor that unit u owns on one axis.

    Args:
        tensor: a parameter or buffer.
        layouts: its layouts.
        axis: the axis.
        group_index: position of the group in `ChannelMap.groups`; it has to be on the axis.

    Returns:
        One row per unit: its occurrences on the axis one after the other, each with all other axes flattened.
    """
    return _rows(tensor, layouts[axis], axis, group_index)


def owned_slices(state: Mapping[str, Tensor], owned: OwnedAxis) -> Shaped[Tensor, "width features"]:
    """Row u holds all entries that unit u of a group owns on one axis of one tensor; as `unit_slices`."""
    return _rows(state[owned.tensor], owned.layout, owned.axis, owned.group_index)


def _rows(tensor: Tensor, layout: AxisLayout, axis: int, group_index: int) -> Tensor:
    table = layout.positions(group_index)
    picked = tensor.index_select(axis, _on(table.reshape(-1), tensor)).movedim(axis, 0)
    return picked.reshape(table.shape[0], -1)


def replace_units(
    tensor: Shaped[Tensor, " *old"],
    layouts: Sequence[AxisLayout],
    axis: int,
    group_index: int,
    rows: Shaped[Tensor, "m features"],
) -> Shaped[Tensor, " *new"]:
    """Replaces the units on one axis by m rows; the result has the layout of m units.

    With `rows = unit_slices(...)` the tensor comes back unchanged. Differentiable in `tensor` and `rows`.

    Args:
        tensor: a parameter or buffer.
        layouts: its layouts.
        axis: the axis to change.
        group_index: position of the group in `ChannelMap.groups`; it has to be on the axis.
        rows: row u holds everything that the new unit u owns, laid out as by `unit_slices`; at most as many as units.

    Raises:
        ValueError: no row, or more rows than units.
    """
    layout = layouts[axis]
    table = layout.positions(group_index)
    width, occurrences = table.shape
    kept = rows.shape[0]
    if not 1 <= kept <= width:
        raise ValueError(f"axis {axis}: {kept} rows for a group of {width} units; 1..{width} are allowed")
    moved = tensor.movedim(axis, 0)
    new = rows.reshape(kept * occurrences, *moved.shape[1:])
    if width * occurrences == moved.shape[0] and (table.reshape(-1) == np.arange(moved.shape[0])).all():
        return new.movedim(0, axis)  # the group owns the whole axis, in order
    source = np.arange(moved.shape[0], dtype=np.int64)
    source[table[:kept]] = moved.shape[0] + np.arange(kept * occurrences).reshape(kept, occurrences)
    source = np.delete(source, table[kept:].reshape(-1))
    return torch.cat([moved, new]).index_select(0, _on(source, tensor)).movedim(0, axis)


def map_units(
    tensor: Float[Tensor, " *old"],
    layouts: Sequence[AxisLayout],
    axis: int,
    group_index: int,
    matrix: Float[Tensor, "m n"],
) -> Float[Tensor, " *new"]:
    """Maps the n units on one axis to m new ones: new[u] = sum_v matrix[u, v] old[v].

    Works occurrence by occurrence; the result has the layout of m units. Differentiable in `tensor` and `matrix`.

    Args:
        tensor: a parameter or buffer.
        layouts: its layouts.
        axis: the axis to change.
        group_index: position of the group in `ChannelMap.groups`; it has to be on the axis.
        matrix: m <= n rows, n columns; of the tensor's type and device.

    Raises:
        ValueError: the matrix has not one column per unit, or more rows than columns.
    """
    rows = unit_slices(tensor, layouts, axis, group_index)
    if matrix.shape[1] != rows.shape[0]:
        raise ValueError(f"axis {axis}: a matrix of shape {tuple(matrix.shape)} for {rows.shape[0]} units")
    return replace_units(tensor, layouts, axis, group_index, matrix @ rows)


def check_index(channel_map: ChannelMap, index: Mapping[str, UnitNumbers]) -> dict[int, Labels]:
    """Unit numbers by group index.

    Raises:
        ValueError: an unknown group, an empty selection, a unit number out of range or given twice.
    """
    checked = {}
    for name, numbers in index.items():
        group = channel_map.group_index(name)
        width = channel_map.groups[group].width
        units = np.asarray(numbers.cpu().numpy() if isinstance(numbers, Tensor) else numbers)
        if units.ndim != 1 or units.size == 0:
            raise ValueError(f"group {name!r}: expected a list of at least one unit, found shape {units.shape}")
        if not np.issubdtype(units.dtype, np.integer):
            raise ValueError(f"group {name!r}: unit numbers are integers, found {units.dtype}")
        if units.min() < 0 or units.max() >= width:
            raise ValueError(f"group {name!r}: units {units.min()}..{units.max()} are outside 0..{width - 1}")
        if np.unique(units).size != units.size:
            raise ValueError(f"group {name!r}: {units.size - np.unique(units).size} units are given twice")
        checked[group] = units.astype(np.int64)
    return checked


def _source_positions(axis: AxisLayout, chosen: Mapping[int, Labels]) -> Labels | None:
    """Position in the old axis for every position of the new one; None where nothing changes."""
    groups = [group for group in axis.present() if group in chosen]
    if not groups:
        return None
    source = np.arange(axis.groups.size, dtype=np.int64)
    kept = np.ones(source.shape, dtype=bool)
    for group in groups:
        table, units = axis.positions(group), chosen[group]
        source[table[: len(units)]] = table[units]
        kept[table[len(units) :]] = False
    return source[kept]


def _tensor(state: Mapping[str, Tensor], channel_map: ChannelMap, name: str) -> Tensor:
    if name not in state:
        raise ValueError(f"{name}: missing from the state; the map needs it")
    if tuple(state[name].shape) != tuple(channel_map.shapes[name]):
        raise ValueError(f"{name}: shape {tuple(state[name].shape)}, the map says {channel_map.shapes[name]}")
    return state[name]


def _on(positions: Labels, tensor: Tensor) -> Tensor:
    return torch.from_numpy(positions).to(tensor.device)
