"""Proves a channel map by cutting the network on the meta device and analysing it again.

All groups are cut at once, each by another amount. Where the result is not the predicted map (or the network does
not run at all), the groups at fault are found by bisection and refused. Groups on an axis that is taken apart
(`chunk`, slices) are also cut alone, since two of them cut alike could hide each other. Refuses to know how a map is
found: the analysis is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from torch import nn

from workers.channels.layout import ChannelMap, RefusedGroup, restrict, without_groups
from workers.channels.rebuild import load_resized
from workers.channels.slicing import select
from workers.channels.trace import meta_copy

Analyse: TypeAlias = Callable[[nn.Module], ChannelMap]


def verified(meta_model: nn.Module, found: ChannelMap, sliced: Collection[str], analyse: Analyse) -> ChannelMap:
    """The map without the groups that do not keep its promise.

    Args:
        meta_model: the network on the meta device.
        found: its map.
        sliced: names of the groups on axes that are taken apart.
        analyse: finds the map of a network on the meta device.
    """
    faults: dict[str, str] = {}
    for name in sorted(sliced):
        width = found.widths()[name]
        for smaller in sorted({width - 1, width - 2, width // 2} - {width}, reverse=True):  # one could fit by rounding
            fault = _fault(meta_model, found, {name: smaller}, analyse) if smaller >= 1 else ""
            if fault:
                faults[name] = fault
                break
    while True:
        good = without_groups(found, _refusals(found, faults))
        for cuts in filter(None, (_cuts(good), _cuts_to_one(good))):
            fault = _fault(meta_model, found, cuts, analyse)
            if fault:
                faults.update(_culprits(meta_model, found, cuts, analyse) or dict.fromkeys(cuts, fault))
                break
        else:
            return good


def _cuts(channel_map: ChannelMap) -> dict[str, int]:
    """A smaller width of at least 2 for every group, by amounts that differ from one group to the next."""
    return {
        group.name: max(2, group.width - 1 - 3 * number % 7)
        for number, group in enumerate(channel_map.groups)
        if group.width > 2
    }


def _cuts_to_one(channel_map: ChannelMap) -> dict[str, int]:
    """Width 1 for the groups that have no other smaller width."""
    return {group.name: 1 for group in channel_map.groups if group.width == 2}


def _culprits(meta_model: nn.Module, found: ChannelMap, cuts: Mapping[str, int], analyse: Analyse) -> dict[str, str]:
    """Groups that fail when cut alone, found by halving the set that fails."""
    if len(cuts) == 1:
        fault = _fault(meta_model, found, cuts, analyse)
        return dict.fromkeys(cuts, fault) if fault else {}
    names = list(cuts)
    culprits: dict[str, str] = {}
    for half in (names[: len(names) // 2], names[len(names) // 2 :]):
        part = {name: cuts[name] for name in half}
        if len(part) == 1 or _fault(meta_model, found, part, analyse):
            culprits.update(_culprits(meta_model, found, part, analyse))
    return culprits


def _fault(meta_model: nn.Module, found: ChannelMap, widths: Mapping[str, int], analyse: Analyse) -> str:
    """What goes wrong at these widths, in words; empty if nothing does.

    At width 1 the network has to run, no more: a depthwise convolution of one channel looks like an ordinary one.
    """
    cut = meta_copy(meta_model)
    load_resized(cut, select(cut.state_dict(), found, {name: range(width) for name, width in widths.items()}))
    try:
        again = analyse(cut)
    except ValueError as error:
        return f"the network does not run with fewer of these channels: {error}"
    if min(widths.values()) == 1:
        return ""
    expected = restrict(found, widths)
    if again.groups != expected.groups or again.tensors != expected.tensors:
        return "with fewer of these channels the network puts other channels together"
    return ""


def _refusals(found: ChannelMap, faults: Mapping[str, str]) -> dict[str, RefusedGroup]:
    layers = {group.name: group.layers for group in found.groups}
    return {
        name: RefusedGroup(layers=layers[name], operator="second trace", where="", reason=reason)
        for name, reason in faults.items()
    }
