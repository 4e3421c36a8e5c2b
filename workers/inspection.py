"""What of a network can be pruned, before anything runs: its channel groups, what they hold, what limits their widths.

The network is built and traced; its weights play no part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from jobs.stages.common import WidthLimits
from workers.allocation import WidthRange, ranges_of
from workers.allocation.patterns import matches, nearest_names
from workers.channels import ChannelGroup, ChannelMap, MacCount, ParameterCount, RefusedGroup
from workers.inputs import InputSpec
from workers.network import NetworkRecipe
from workers.structure import find_structure


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedGroup:
    """A channel group.

    Attributes:
        group: Its name, width and layers.
        parameters: Fraction of the network's parameters that hold one of its channels: what would go if all of it went.
            The parameters between two groups hold channels of both, so that the fractions do not add up to one.
        macs: The same of the multiply-accumulates.
        range: The widths that it may have; None where the sweep file says nothing.
    """

    group: ChannelGroup
    parameters: float
    macs: float
    range: WidthRange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What of a network can be pruned.

    Attributes:
        inputs: What the network takes.
        parameters: Of the whole network.
        macs: Its multiply-accumulates on one sample.
        prunable: Fraction of the parameters that hold a channel of any group.
        groups: In order of execution.
        refused: Channels that stay, and why.
    """

    inputs: InputSpec
    parameters: int
    macs: int
    prunable: float
    groups: Sequence[InspectedGroup]
    refused: Sequence[RefusedGroup]


def inspect(recipe: NetworkRecipe) -> tuple[Inspection, ChannelMap]:
    """Build and trace a network; returns what was found, without limits, and its channel groups.

    Raises:
        BadInputError: It cannot be built or traced.
    """
    channel_map = find_structure(recipe).channel_map
    return _inspection(channel_map, recipe.inputs), channel_map


def _inspection(channel_map: ChannelMap, inputs: InputSpec) -> Inspection:
    parameters, macs = ParameterCount(channel_map), MacCount(channel_map)
    nothing = dict.fromkeys(channel_map.widths(), 0)
    return Inspection(
        inputs=inputs,
        parameters=parameters({}),
        macs=macs({}),
        prunable=1 - parameters(nothing) / max(1, parameters({})),
        groups=[
            InspectedGroup(
                group=group,
                parameters=1 - parameters({group.name: 0}) / max(1, parameters({})),
                macs=1 - macs({group.name: 0}) / max(1, macs({})),
                range=None,
            )
            for group in channel_map.groups
        ],
        refused=channel_map.refused,
    )


def with_limits(
    found: Inspection,
    channel_map: ChannelMap,
    limits: WidthLimits | None,
    *,
    multiple: int = 1,
    mixed: bool = False,
) -> Inspection:
    """What was found, with the widths that a sweep file allows.

    Args:
        found: Without limits.
        channel_map: The channel groups.
        limits: Of single layers.
        multiple: Of which all widths are, or full.
        mixed: Whether channels are mixed into fewer rather than removed.

    Raises:
        BadInputError: A pattern matches nothing.
    """
    fixed = mixed and any(group.unmixable for group in channel_map.groups)
    if limits is None and multiple == 1 and not fixed:
        return found
    ranges: Mapping[str, WidthRange] = ranges_of(channel_map, limits or WidthLimits(), multiple=multiple, mixed=mixed)
    return replace(found, groups=[replace(each, range=ranges[each.group.name]) for each in found.groups])


def layer_faults(
    recipe: NetworkRecipe, patterns: Mapping[str, Sequence[str]], widths: Mapping[str, Mapping[str, int]]
) -> list[str]:
    """What is wrong with patterns that no layer of a network has, and with widths above a layer's own.

    The network is built for that, and not traced.

    Args:
        recipe: The network.
        patterns: Patterns by the setting that has them, or names of channel groups.
        widths: Channels that stay, by name of a channel group, by the setting that has them.

    Raises:
        BadInputError: The network cannot be built.
    """
    with torch.random.fork_rng(devices=[]):
        module = recipe.construct()
    layers = {name.rpartition(".")[0] or name for name in module.state_dict()}
    unmatched = [
        f"{setting}: '{pattern}' matches no layer; {nearest_names(pattern, layers)}"
        for setting, given in patterns.items()
        for pattern in given
        if not any(matches(pattern.partition("#")[0], name) for name in layers)
    ]
    outputs = {name: _outputs(layer) for name, layer in module.named_modules()}
    too_wide = [
        f"{setting}: '{name}' has {full} channels, and {width} should stay; give at most what it has"
        for setting, given in widths.items()
        for name, width in given.items()
        if (full := outputs.get(name)) is not None and width > full
    ]
    return unmatched + too_wide


def _outputs(layer: nn.Module) -> int | None:
    """How many channels a layer writes; None where its class does not say."""
    match layer:
        case _ConvNd():
            return layer.out_channels
        case nn.Linear():
            return layer.out_features
        case _:
            return None
