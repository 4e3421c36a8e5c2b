"""Counts parameters of a cut network without building it. Refuses to know what a group is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from workers.channels.layout import ChannelMap


class ParameterCount:
    """Number of parameters as a function of the widths of the groups.

    An axis of a parameter is as long as its fixed part plus, per group, occurrences times width; both are found once,
    so that a call costs one small matrix product. Buffers do not count.

    Args:
        channel_map: the map of the whole network.
    """

    def __init__(self, channel_map: ChannelMap) -> None:
        self._widths = channel_map.widths()
        self._position = {name: index for index, name in enumerate(self._widths)}
        self._fixed_total = sum(
            math.prod(channel_map.shapes[name]) for name in channel_map.parameters if name not in channel_map.tensors
        )
        constants: list[int] = []
        occurrences: list[np.ndarray] = []
        starts: list[int] = []
        for name in sorted(channel_map.parameters & channel_map.tensors.keys()):
            starts.append(len(constants))
            for axis in channel_map.tensors[name]:
                row = np.zeros(len(self._widths), dtype=np.int64)
                for group in axis.present():
                    row[group] = axis.positions(group).shape[1]
                constants.append(int((axis.groups < 0).sum()))
                occurrences.append(row)
        self._starts = np.array(starts, dtype=np.int64)
        self._constants = np.array(constants, dtype=np.int64)
        self._occurrences = np.stack(occurrences) if occurrences else np.zeros((0, len(self._widths)), dtype=np.int64)

    def __call__(self, widths: Mapping[str, int]) -> int:
        """Number of parameters at these widths; a group that is not named counts whole.

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
        return self._fixed_total + int(np.multiply.reduceat(lengths, self._starts).sum())


def count_parameters(channel_map: ChannelMap, widths: Mapping[str, int]) -> int:
    """Number of parameters at these widths; for many calls keep a `ParameterCount`."""
    return ParameterCount(channel_map)(widths)
