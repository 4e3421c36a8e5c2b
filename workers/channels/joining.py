"""Joins the channel maps of a network's parts into that of the whole network, and checks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from workers.channels.attributes import attach
from workers.channels.layout import NOT_A_CHANNEL, AxisLayout, ChannelMap, RefusedGroup, without_groups
from workers.channels.operators import NO_CHANNELS
from workers.channels.parts import Dissection, run_whole
from workers.channels.rebuild import load_resized
from workers.channels.slicing import select
from workers.channels.trace import bare_copy
from workers.inputs import InputsLike


def join_parts(model: nn.Module, dissection: Dissection, maps: Sequence[ChannelMap]) -> ChannelMap:
    """The map of a whole network; what lies outside of its parts has no channels.

    Args:
        model: the network.
        dissection: the network's parts.
        maps: the map of each part.
    """
    tensors: dict[str, tuple[AxisLayout, ...]] = {}
    applications = dict(dissection.outside)
    first = 0
    for piece, part in zip(dissection.pieces, maps, strict=True):
        tensors |= {name: tuple(_renumbered(axis, first) for axis in axes) for name, axes in part.tensors.items()}
        first += len(part.groups)
        applications |= dict.fromkeys(part.applications, 0) if piece.idle else part.applications
    return ChannelMap(
        groups=tuple(group for part in maps for group in part.groups),
        tensors=tensors,
        shapes={name: tuple(tensor.shape) for name, tensor in model.state_dict().items()},
        parameters=frozenset(name for name, _ in model.named_parameters()),
        refused=tuple(
            _explained(group, piece.border.where)
            for piece, part in zip(dissection.pieces, maps, strict=True)
            for group in part.refused
        ),
        applications=applications,
        attributes=tuple(attribute for part in maps for attribute in part.attributes),
        divisors=frozenset[str]().union(*(part.divisors for part in maps)),
    )


def _explained(refused: RefusedGroup, part: str) -> RefusedGroup:
    """Names the part where its input may be the reason."""
    if refused.reason != NO_CHANNELS:
        return refused
    return replace(refused, reason=f"{NO_CHANNELS}, such as what crosses the border of {part}")


def _renumbered(axis: AxisLayout, first: int) -> AxisLayout:
    groups = np.where(axis.groups >= 0, axis.groups + first, NOT_A_CHANNEL)
    return AxisLayout(role=axis.role, groups=groups, units=axis.units)


def check_whole(
    model: nn.Module, inputs: InputsLike, channel_map: ChannelMap, parts: Sequence[Sequence[str]]
) -> ChannelMap:
    """The map without the groups of the parts with which the whole network does not run when they are cut.

    Args:
        model: the network.
        inputs: what it takes.
        channel_map: its map, proved for each part by itself.
        parts: names of the groups of each part.
    """
    if not _fault(model, inputs, channel_map, [name for names in parts for name in names]):
        return channel_map
    layers = {group.name: group.layers for group in channel_map.groups}
    refused = {
        name: RefusedGroup(
            layers=layers[name],
            operator="whole network",
            where="",
            reason=f"outside of the parts, the network needs all of these channels: {fault}",
        )
        for names in parts
        if (fault := _fault(model, inputs, channel_map, names))
        for name in names
    }
    return without_groups(channel_map, refused)


def _fault(model: nn.Module, inputs: InputsLike, channel_map: ChannelMap, names: Sequence[str]) -> str:
    """Why the network does not run with fewer channels of these groups; empty if it does."""
    cut = bare_copy(model).cpu().eval()
    attach(cut, channel_map.attributes)
    widths = channel_map.widths()
    index = {name: range(max(1, widths[name] - 1 - 3 * number % 7)) for number, name in enumerate(names)}
    load_resized(cut, select(cut.state_dict(), channel_map, index))
    try:
        run_whole(cut, inputs)
    except ValueError as error:
        return str(error)
    return ""
