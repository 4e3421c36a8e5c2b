"""Maps an axis of a tensor from one layout to another, group by group.

A given function maps the rows of each group. This is `workers.channels.map_units` for many tensors at once, with all
positions computed beforehand and in both directions.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import AxisLayout, ChannelMap

RowFunction = Callable[[Tensor], Tensor]


class AxisMap:
    """From an axis in one layout to the same axis with other numbers of units.

    Args:
        old: The layout that tensors have.
        new: The layout that they get; groups come in the same order and equally often.
        groups: Indices of the groups whose units are replaced. All others stay.
        device: Of the tensors.
    """

    def __init__(self, old: AxisLayout, new: AxisLayout, groups: frozenset[int], device: torch.device) -> None:
        self._groups = [group for group in old.present() if group in groups]
        tables = [old.positions(group) for group in self._groups]
        others = np.flatnonzero(~np.isin(old.groups, self._groups))
        landing = [np.flatnonzero(~np.isin(new.groups, self._groups))]
        landing += [new.positions(group).reshape(-1) for group in self._groups]
        self._occurrences = [table.shape[1] for table in tables]
        self._others = torch.from_numpy(others).to(device)
        self._rows = [_gather(table.reshape(-1), old.groups.size, device) for table in tables]
        self._order = _gather(np.argsort(np.concatenate(landing)), new.groups.size, device)

    @property
    def groups(self) -> list[int]:
        """The groups on the axis whose units are replaced."""
        return self._groups

    def __call__(
        self, tensor: Float[Tensor, " *old"], axis: int, functions: Mapping[int, RowFunction]
    ) -> Float[Tensor, " *new"]:
        """The tensor with the units of every group replaced on one axis.

        Args:
            tensor: Has the old layout on the axis.
            axis: The axis.
            functions: By group index: from its rows (one per unit, with all its entries) to those of the new units.
        """
        moved = tensor.movedim(axis, 0)
        pieces = [moved.index_select(0, self._others)] if len(self._others) else []
        for group, rows, occurrences in zip(self._groups, self._rows, self._occurrences, strict=True):
            picked = moved if rows is None else moved.index_select(0, rows)
            made = functions[group](picked.reshape(len(picked) // occurrences, -1))
            pieces.append(made.reshape(len(made) * occurrences, *moved.shape[1:]))
        joined = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        return (joined if self._order is None else joined.index_select(0, self._order)).movedim(0, axis)


def _gather(positions: np.ndarray, length: int, device: torch.device) -> Tensor | None:
    """Positions to pick, or None for the whole axis in order."""
    if len(positions) == length and (positions == np.arange(length)).all():
        return None
    return torch.from_numpy(positions).to(device)


def with_widths(channel_map: ChannelMap, widths: Mapping[str, int]) -> ChannelMap:
    """The map of a network whose groups have other widths, smaller or larger; groups not named stay.

    Where a group shrinks it is that of `channels.restrict`. Where it grows, the new units follow the last one,
    so that contiguous units (a flattened channel) and alternating ones (a concatenation) stay so.

    Raises:
        ValueError: A group is unknown, or its new width is less than 1.
    """
    wanted = {channel_map.group_index(name): width for name, width in widths.items()}
    if any(width < 1 for width in widths.values()):
        raise ValueError(f"widths {dict(widths)}; every group needs at least 1")
    known: dict[tuple[str, bytes, bytes], AxisLayout] = {}  # most axes are laid out like others

    def resized(axis: AxisLayout) -> AxisLayout:
        key = (axis.role, axis.groups.tobytes(), axis.units.tobytes())
        if key not in known:
            known[key] = _grown(axis, wanted).cut(wanted)
        return known[key]

    tensors = {name: tuple(map(resized, axes)) for name, axes in channel_map.tensors.items()}
    shapes = {name: tuple(axis.groups.size for axis in axes) for name, axes in tensors.items()}
    groups = tuple(
        replace(group, width=wanted.get(index, group.width)) for index, group in enumerate(channel_map.groups)
    )
    return replace(channel_map, groups=groups, tensors=tensors, shapes={**channel_map.shapes, **shapes})


def _grown(axis: AxisLayout, widths: Mapping[int, int]) -> AxisLayout:
    """The layout with additional units of those groups that are to be wider than they are."""
    length = axis.groups.size
    groups, units, anchors = [axis.groups], [axis.units], [np.arange(length)]
    for group in widths.keys() & set(axis.present()):
        *_, last = axis.positions(group)
        new = np.arange(int(axis.units[last[0]]) + 1, widths[group])
        # After the run of positions that the last unit holds.
        ends = [next(position for position in range(at, length) if position + 1 not in last) for at in last]
        groups.append(np.full(len(new) * len(last), group))
        units.append(np.repeat(new, len(last)))
        anchors.append(np.tile(np.array(ends), len(new)))
    every = np.concatenate(units)
    added = np.concatenate([np.full(length, -1), every[length:]])
    order = np.lexsort((added, np.concatenate(anchors)))  # stable: occurrences of a unit stay in order
    return AxisLayout(role=axis.role, groups=np.concatenate(groups)[order], units=every[order])
