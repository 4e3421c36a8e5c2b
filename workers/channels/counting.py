"""Counts parameters and multiply-accumulates of a cut network without building it.

Refuses to know what a group is worth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from workers.channels.layout import ChannelMap


class _Count:
    """A weighted number of elements of tensors as a function of the widths of the groups.

    An axis of a tensor is as long as its fixed part plus, per group, occurrences times width; both are found once, so
    that a call costs one small matrix product.

    Args:
        channel_map: the map of the whole network.
        weights: what each element of a tensor counts for, by the tensor's name; others count nothing.
    """

    def __init__(self, channel_map: ChannelMap, weights: Mapping[str, int]) -> None:
        self._widths = channel_map.widths()
        self._position = {name: index for index, name in enumerate(self._widths)}
        self._fixed_total = sum(
            weight * math.prod(channel_map.shapes[name])
            for name, weight in weights.items()
            if name not in channel_map.tensors
        )
        constants: list[int] = []
        occurrences: list[np.ndarray] = []
        starts: list[int] = []
        counted = sorted(weights.keys() & channel_map.tensors.keys())
        for name in counted:
            starts.append(len(constants))
            for axis in channel_map.tensors[name]:
                row = np.zeros(len(self._widths), dtype=np.int64)
                for group in axis.present():
                    row[group] = axis.positions(group).shape[1]
                constants.append(int((axis.groups < 0).sum()))
                occurrences.append(row)
        self._starts = np.array(starts, dtype=np.int64)
        self._weights = np.array([weights[name] for name in counted], dtype=np.int64)
        self._constants = np.array(constants, dtype=np.int64)
        self._occurrences = np.stack(occurrences) if occurrences else np.zeros((0, len(self._widths)), dtype=np.int64)

    def __call__(self, widths: Mapping[str, int]) -> int:
        """The number at these widths; a group that is not named counts whole.

        Raises:
            ValueError: an unknown group, or a width outside 0 .. width.
        """
        sizes = np.array(list(self._widths.values()), dtype=np.int64)
        for name, width in widths.items():
            if name not in self._position or not 0 <= width <= self._widths[name]:
                known = f"0..{self._widths[name]}" if name in self._position else "no such group"
                raise ValueError(f"group {name!r}: width {width}; allowed: {known}")
            sizes[self._position[name]] = width
        if not self._starts.size:
            return self._fixed_total
        lengths = self._constants + self._occurrences @ sizes
        return self._fixed_total + int(np.multiply.reduceat(lengths, self._starts) @ self._weights)


class ParameterCount(_Count):
    """Number of parameters as a function of the widths of the groups. Buffers do not count.

    Args:
        channel_map: the map of the whole network.
    """

    def __init__(self, channel_map: ChannelMap) -> None:
        super().__init__(channel_map, dict.fromkeys(channel_map.parameters, 1))


class MacCount(_Count):
    """Multiply-accumulates of the convolutions and linear layers on one sample, as a function of the widths.

    Products of activations with one another, as in attention, are no layer's and do not count.

    Args:
        channel_map: the map of the whole network; made for the size of the sample that is meant.
    """

    def __init__(self, channel_map: ChannelMap) -> None:
        super().__init__(channel_map, channel_map.applications)


def count_parameters(channel_map: ChannelMap, widths: Mapping[str, int]) -> int:
    """Number of parameters at these widths; for many calls keep a `ParameterCount`."""
    return ParameterCount(channel_map)(widths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What one unit of a group costs, and where it stands.

    Attributes:
        axes: (tensor, axis) of all axes on which the group owns indices.
        parameters: number of parameters that go with one unit while everything else stays whole.
        macs: multiply-accumulates on one sample that go with it (see `MacCount`).
    """

    axes: tuple[tuple[str, int], ...]
    parameters: int
    macs: int


def ownership(channel_map: ChannelMap) -> dict[str, Ownership]:
    """What every group owns, by its name."""
    parameters, macs = ParameterCount(channel_map), MacCount(channel_map)
    axes: dict[str, list[tuple[str, int]]] = {group.name: [] for group in channel_map.groups}
    for name, layouts in channel_map.tensors.items():
        for axis, layout in enumerate(layouts):
            for index in layout.present():
                axes[channel_map.groups[index].name].append((name, axis))
    return {
        group.name: Ownership(
            axes=tuple(axes[group.name]),
            parameters=parameters({}) - parameters({group.name: group.width - 1}),
            macs=macs({}) - macs({group.name: group.width - 1}),
        )
        for group in channel_map.groups
    }
