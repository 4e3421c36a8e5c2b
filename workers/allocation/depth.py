"""The stages of a network, and designs as fractions per stage, which carry over to other networks.

A stage is the part of a network at one spatial resolution: the groups whose (first) layer is applied at equally many
positions, in the order of execution. Networks with other numbers of stages are compared at equal relative depth.
"""

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from workers.allocation._base import Design
from workers.channels import ChannelMap


def stages(channel_map: ChannelMap) -> dict[str, int]:
    """Group name -> its stage, from 0."""
    numbers: dict[int, int] = {}
    return {
        group.name: numbers.setdefault(_places(channel_map, index), len(numbers))
        for index, group in enumerate(channel_map.groups)
    }


def _places(channel_map: ChannelMap, index: int) -> int:
    """At how many positions a group's first layer is applied; the layer that reads it, if it has no weight itself."""
    layer = channel_map.groups[index].layers[0]
    holders = (owned.tensor for owned in channel_map.owned_axes() if owned.group_index == index)
    known = (name for name in (f"{layer}.weight", layer, *holders) if name in channel_map.applications)
    return next((channel_map.applications[name] for name in known), 0)


def design_template(designs: Sequence[Design]) -> list[float]:
    """The fraction of channels that stays in each stage: the mean over its groups, then over the designs.

    Args:
        designs: At least one, all of the same network.
    """
    templates = []
    for design in designs:
        full, stage_of = design.channel_map.widths(), stages(design.channel_map)
        kept: list[list[float]] = [[] for _ in range(1 + max(stage_of.values(), default=-1))]
        for name, width in design.widths.items():
            kept[stage_of[name]].append(width / full[name])
        templates.append([fmean(stage) for stage in kept])
    return [fmean(fractions) for fractions in zip(*templates, strict=True)]


def follow_template(channel_map: ChannelMap, template: Sequence[float]) -> dict[str, float]:
    """Group name -> the template's fraction at the group's relative depth, straight between two of its stages.

    Args:
        channel_map: The network that follows it.
        template: A fraction per stage, at least one.
    """
    stage_of = stages(channel_map)
    last = max(1, max(stage_of.values(), default=0))
    depths = np.linspace(0, 1, len(template))
    return {name: float(np.interp(stage / last, depths, template)) for name, stage in stage_of.items()}
