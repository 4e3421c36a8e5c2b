"""Records of a network's channel groups, which need no network.

A `ChannelMap` says, for every index of every axis of every parameter and buffer, which channel owns it.
It is plain data (numpy arrays and names), can be written as JSON, and is all that slicing, reordering and
counting need. `analysis` makes the map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

from workers.channels.attributes import SizeAttribute

Role: TypeAlias = Literal["output", "input"]
Labels: TypeAlias = NDArray[np.int64]

NOT_A_CHANNEL = -1
"""Label, group and unit number of an index that no channel owns (batch, space, image, classes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelGroup:
    """Coupled channels: those of several tensors that can only be removed or reordered together.

    The units of a group are interchangeable: every axis that holds one of them holds each of them equally often.

    Attributes:
        name: dotted path of the first layer that produces the channels; where one layer produces several groups,
            the later ones end in `#2`, `#3` ... Unique in a map.
        width: number of units, at least 1.
        layers: dotted paths of all convolutions and linear layers that produce the channels, in order of execution.
        normalised: whether something takes statistics over the channels: a layer norm, RMS norm or group norm in one
            group, or a mean, variance, maximum or sum in the network's own code. A network without some of them then
            computes with other statistics than the whole one, so that it equals the masked network only if that takes
            the statistics over the channels that are kept.
        unmixable: why the channels can be removed but not mixed into fewer, in words; empty where they can be. A merged
            channel stands for several: it is their mean, and the weights that read it are their sums. Where something
            sums over channels that has no such weights, their number would be missing; and of weights that do both, one
            use would be wrong.
    """

    name: str
    width: int
    layers: tuple[str, ...]
    normalised: bool = False
    unmixable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedGroup:
    """Channels that have to stay as they are.

    Attributes:
        layers: dotted paths of the layers that produce them.
        operator: the operator that prevents pruning, such as `aten.softmax.int`.
        where: dotted path of the module that calls the operator; empty for the network's own forward.
        reason: why, in words.
    """

    layers: tuple[str, ...]
    operator: str
    where: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AxisLayout:
    """Who owns the indices of one axis of one tensor.

    Attributes:
        role: `input` where the axis is contracted over (axis 1 of an ordinary convolution or linear weight), by one of
            its uses at least, `output` everywhere else.
        groups: index into `ChannelMap.groups` per position, or -1.
        units: number of the unit in its group per position, or -1.
    """

    role: Role
    groups: Int64[np.ndarray, " n"]
    units: Int64[np.ndarray, " n"]

    def __post_init__(self) -> None:
        self.groups.setflags(write=False)
        self.units.setflags(write=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AxisLayout):
            return NotImplemented
        return (
            self.role == other.role
            and np.array_equal(self.groups, other.groups)
            and np.array_equal(self.units, other.units)
        )

    __hash__ = None  # type: ignore[assignment]  # arrays have no hash

    @property
    def labelled(self) -> bool:
        """Whether any position belongs to a group."""
        return bool((self.groups >= 0).any())

    def present(self) -> list[int]:
        """Indices of the groups that own positions here, ascending."""
        return [int(group) for group in np.flatnonzero(np.bincount(self.groups + 1)[1:])]

    def positions(self, group: int) -> Int64[np.ndarray, "width occurrences"]:
        """Where the units of a group sit: entry (u, k) is the position of the k-th occurrence of unit u.

        Raises:
            ValueError: the group is not on this axis, or its units occur unequally often.
        """
        found = np.flatnonzero(self.groups == group)
        if found.size == 0:
            raise ValueError(f"group {group} owns nothing on this axis; it holds groups {self.present()}")
        units = self.units[found]
        width = int(units.max()) + 1
        counts = np.bincount(units, minlength=width)
        if (counts != counts[0]).any():
            raise ValueError(f"units of group {group} occur {counts.min()} to {counts.max()} times on one axis")
        return found[np.argsort(units, kind="stable")].reshape(width, -1)

    def cut(self, widths: Mapping[int, int]) -> AxisLayout:
        """The layout that keeps of each named group the units below its new width."""
        there = [group for group in self.present() if group in widths]
        if not there:
            return self
        kept = np.ones(self.groups.shape, dtype=bool)
        for group in there:
            kept &= (self.groups != group) | (self.units < widths[group])
        return AxisLayout(role=self.role, groups=self.groups[kept], units=self.units[kept])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnedAxis:
    """One axis of one tensor, and one of the groups that own positions on it.

    Attributes:
        tensor: `state_dict` name.
        axis: number of the axis.
        layout: who owns its positions.
        group_index: position of the group in `ChannelMap.groups`.
        group: the group.
    """

    tensor: str
    axis: int
    layout: AxisLayout
    group_index: int
    group: ChannelGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMap:
    """Which channels of which tensors of a network are coupled.

    Attributes:
        groups: the groups that may be removed or reordered.
        tensors: layouts, one per axis, of the parameters and buffers that have an owned index; keys are
            `state_dict` names.
        shapes: shapes of all parameters and buffers in the `state_dict`.
        parameters: which of them are parameters; of a shared parameter only the first name. Its other names are in
            `tensors`, too, with the same layouts.
        refused: channels that have to stay whole, and why.
        applications: how often one sample is multiplied by every number of a layer's weight, in the evaluation pass on
            the input that the map was made for: output positions of a convolution, tokens of a linear layer, boxes of
            a detector's head. The uses of a shared weight are added up under its first name.
        divisors: names of parameters and buffers that the network's own code divides by, such as the variances of a
            frozen norm without an epsilon: a mask puts ones there.
        attributes: whole numbers in the network's modules that follow from the widths of groups.
    """

    groups: tuple[ChannelGroup, ...]
    tensors: Mapping[str, tuple[AxisLayout, ...]]
    shapes: Mapping[str, tuple[int, ...]]
    parameters: frozenset[str]
    refused: tuple[RefusedGroup, ...]
    applications: Mapping[str, int]
    divisors: frozenset[str] = frozenset()
    attributes: tuple[SizeAttribute, ...] = ()

    def group_index(self, name: str) -> int:
        """Position of a group in `groups`.

        Raises:
            ValueError: no group has that name.
        """
        for index, group in enumerate(self.groups):
            if group.name == name:
                return index
        known = ", ".join(group.name for group in self.groups) or "none"
        raise ValueError(f"no channel group {name!r}; groups: {known}")

    def owned_axes(self) -> Iterator[OwnedAxis]:
        """Every axis of every tensor, once for each group that owns positions on it, in the map's order."""
        for name, layouts in self.tensors.items():
            for axis, layout in enumerate(layouts):
                for index in layout.present():
                    yield OwnedAxis(tensor=name, axis=axis, layout=layout, group_index=index, group=self.groups[index])

    def widths(self) -> dict[str, int]:
        """Number of units of every group, by name."""
        return {group.name: group.width for group in self.groups}

    def to_json(self) -> dict[str, object]:
        """The map as JSON data; arrays are run-length encoded."""
        from workers.channels import layout_json

        return layout_json.encode(self)

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> ChannelMap:
        """The map from the result of `to_json`.

        Raises:
            ValueError: the document is of another version.
        """
        from workers.channels import layout_json

        return layout_json.decode(document)


def check_widths(channel_map: ChannelMap, widths: Mapping[str, int]) -> dict[int, int]:
    """New widths by group index.

    Raises:
        ValueError: a group is unknown, or its new width lies outside 1 .. width.
    """
    checked = {}
    for name, width in widths.items():
        index = channel_map.group_index(name)
        if not 1 <= width <= channel_map.groups[index].width:
            raise ValueError(f"group {name!r}: width {width} is outside 1..{channel_map.groups[index].width}")
        checked[index] = int(width)
    return checked


def restrict(channel_map: ChannelMap, widths: Mapping[str, int]) -> ChannelMap:
    """The map of the network after groups were pruned to these widths; groups not named stay whole.

    Raises:
        ValueError: a group is unknown, or its new width lies outside 1 .. width.
    """
    cuts = check_widths(channel_map, widths)
    tensors = {name: tuple(axis.cut(cuts) for axis in axes) for name, axes in channel_map.tensors.items()}
    shapes = dict(channel_map.shapes)
    shapes.update({name: tuple(axis.groups.size for axis in axes) for name, axes in tensors.items()})
    groups = tuple(replace(group, width=cuts.get(index, group.width)) for index, group in enumerate(channel_map.groups))
    return replace(channel_map, groups=groups, tensors=tensors, shapes=shapes)


def without_groups(channel_map: ChannelMap, refusals: Mapping[str, RefusedGroup]) -> ChannelMap:
    """The map with some groups, given by name, turned into refused ones."""
    kept = [index for index, group in enumerate(channel_map.groups) if group.name not in refusals]
    number = np.full(len(channel_map.groups) + 1, NOT_A_CHANNEL, dtype=np.int64)  # the last entry serves index -1
    number[kept] = np.arange(len(kept))
    tensors = {}
    for name, axes in channel_map.tensors.items():
        changed = tuple(
            AxisLayout(
                role=axis.role,
                groups=number[axis.groups],
                units=np.where(number[axis.groups] >= 0, axis.units, NOT_A_CHANNEL),
            )
            for axis in axes
        )
        if any(axis.labelled for axis in changed):
            tensors[name] = changed
    return replace(
        channel_map,
        groups=tuple(channel_map.groups[index] for index in kept),
        tensors=tensors,
        refused=channel_map.refused + tuple(refusals.values()),
    )
