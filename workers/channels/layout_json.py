"""`ChannelMap` as a small JSON document and back.

Index arrays are coded as runs `[start, step, length]`: a plain axis is one run, a flattened one a run per unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from workers.channels.attributes import SizeAttribute
from workers.channels.layout import AxisLayout, ChannelGroup, ChannelMap, Labels, RefusedGroup

VERSION = 2


def encode(channel_map: ChannelMap) -> dict[str, object]:
    """A document of lists, dicts, strings and integers."""
    return {
        "version": VERSION,
        "groups": [{**asdict(group), "layers": list(group.layers)} for group in channel_map.groups],
        "tensors": {
            name: [{"role": axis.role, "groups": _runs(axis.groups), "units": _runs(axis.units)} for axis in axes]
            for name, axes in channel_map.tensors.items()
        },
        "shapes": {name: list(shape) for name, shape in channel_map.shapes.items()},
        "parameters": sorted(channel_map.parameters),
        "refused": [{**asdict(group), "layers": list(group.layers)} for group in channel_map.refused],
        "applications": dict(channel_map.applications),
        **({"attributes": [each.to_json() for each in channel_map.attributes]} if channel_map.attributes else {}),
        **({"divisors": sorted(channel_map.divisors)} if channel_map.divisors else {}),
    }


def decode(document: Mapping[str, Any]) -> ChannelMap:
    """The map from the result of `encode`.

    Raises:
        ValueError: the document is of another version.
    """
    if document.get("version") != VERSION:
        raise ValueError(f"channel map of version {document.get('version')!r}; this code reads version {VERSION}")
    return ChannelMap(
        groups=tuple(ChannelGroup(**{**group, "layers": tuple(group["layers"])}) for group in document["groups"]),
        tensors={
            name: tuple(
                AxisLayout(role=axis["role"], groups=_array(axis["groups"]), units=_array(axis["units"]))
                for axis in axes
            )
            for name, axes in document["tensors"].items()
        },
        shapes={name: tuple(shape) for name, shape in document["shapes"].items()},
        parameters=frozenset(document["parameters"]),
        refused=tuple(RefusedGroup(**{**group, "layers": tuple(group["layers"])}) for group in document["refused"]),
        applications=dict(document["applications"]),
        attributes=tuple(SizeAttribute.from_json(value) for value in document.get("attributes", ())),
        divisors=frozenset(document.get("divisors", ())),
    )


def _runs(values: Labels) -> list[list[int]]:
    """Splits an array greedily into the longest arithmetic progressions."""
    steps = np.diff(values)
    ends = np.append(np.flatnonzero(steps[1:] != steps[:-1]) + 1, len(steps))  # a run of steps ends before these
    runs, start = [], 0
    while start < len(values):
        if start == len(values) - 1:
            runs.append([int(values[start]), 0, 1])
            break
        end = int(ends[np.searchsorted(ends, start, side="right")]) + 1
        runs.append([int(values[start]), int(steps[start]), end - start])
        start = end
    return runs


def _array(runs: list[list[int]]) -> Labels:
    pieces = [start + step * np.arange(length, dtype=np.int64) for start, step, length in runs]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)
