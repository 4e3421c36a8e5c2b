"""Counts parameters and MACs (multiply-accumulates) of a pruned network without building it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workers.channels.cost import Cost, cost_of_tensors
from workers.channels.layout import ChannelMap


class _Count(Cost):
    """A cost in whole numbers: a weighted number of elements of tensors."""

    def __init__(self, channel_map: ChannelMap, weights: Mapping[str, int]) -> None:
        super().__init__(channel_map.widths(), *cost_of_tensors(channel_map, weights))

    def __call__(self, widths: Mapping[str, int]) -> int:
        """The number at these widths; a group that is not named counts whole.

        Raises:
            ValueError: an unknown group, or a width outside 0 .. width.
        """
        return int(super().__call__(widths))


class ParameterCount(_Count):
    """Number of parameters as a function of the widths of the groups. Buffers do not count.

    Args:
        channel_map: the map of the whole network.
    """

    def __init__(self, channel_map: ChannelMap) -> None:
        super().__init__(channel_map, dict.fromkeys(channel_map.parameters, 1))


class MacCount(_Count):
    """MACs of the convolutions and linear layers on one sample, as a function of the widths.

    Products of two activations, as in attention, belong to no layer and do not count. Of a network that was analysed in
    parts, the layers outside count as a constant, and heads as often as they run on `example_inputs`.

    Args:
        channel_map: the map of the whole network; made for the input size in question.
    """

    def __init__(self, channel_map: ChannelMap) -> None:
        super().__init__(channel_map, channel_map.applications)


def count_parameters(channel_map: ChannelMap, widths: Mapping[str, int]) -> int:
    """Number of parameters at these widths; for many calls keep a `ParameterCount`."""
    return ParameterCount(channel_map)(widths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The cost of one unit of a group, and the axes that hold it.

    Attributes:
        axes: (tensor, axis) of all axes on which the group owns indices.
        parameters: number of parameters removed with one unit while everything else stays whole.
        macs: MACs on one sample removed with it (see `MacCount`).
    """

    axes: tuple[tuple[str, int], ...]
    parameters: int
    macs: int


def ownership(channel_map: ChannelMap) -> dict[str, Ownership]:
    """The ownership of every group, by its name."""
    parameters, macs = ParameterCount(channel_map), MacCount(channel_map)
    axes: dict[str, list[tuple[str, int]]] = {group.name: [] for group in channel_map.groups}
    for owned in channel_map.owned_axes():
        axes[owned.group.name].append((owned.tensor, owned.axis))
    return {
        group.name: Ownership(
            axes=tuple(axes[group.name]),
            parameters=parameters({}) - parameters({group.name: group.width - 1}),
            macs=macs({}) - macs({group.name: group.width - 1}),
        )
        for group in channel_map.groups
    }
