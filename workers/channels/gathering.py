"""From joined atoms to groups of units.

Indices that the rules joined are one unit; units that no operator tells apart are one group. Refuses to know how a
network is traced and whether what the rules saw is true.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workers.channels.labelling import Labelling
from workers.channels.layout import (
    NOT_A_CHANNEL,
    AxisLayout,
    ChannelGroup,
    ChannelMap,
    Labels,
    RefusedGroup,
)
from workers.channels.union_find import Obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the rules see in a network.

    Attributes:
        channel_map: the map, not yet proved.
        sliced: names of the groups on axes of which parts are taken.
        facts: numbers that must not change when channels are removed, by the call that computes with them.
        splits: sites of the views that take a group's channels apart, by the group's name.
        choices: which reading was taken of each of these views.
    """

    channel_map: ChannelMap
    sliced: frozenset[str]
    facts: Mapping[str, tuple[float, ...]]
    splits: Mapping[str, tuple[str, ...]]
    choices: Mapping[str, int]

    def open_sites(self, groups: Iterable[str]) -> set[str]:
        """Views that take these groups apart and of which there is another reading."""
        return {site for name in groups for site in self.splits.get(name, ()) if self.choices[site] == 0}


def gather(labelling: Labelling, shapes: Mapping[str, tuple[int, ...]], parameters: frozenset[str]) -> Findings:
    """Turns joined atoms into units and groups.

    Args:
        labelling: labels of all tensors.
        shapes: shapes of all parameters and buffers.
        parameters: first names of the parameters.
    """
    book = labelling.book
    roots = book.atoms.roots()
    fixed, obstacles = book.atoms.obstacles(roots)
    made = np.zeros(len(roots), dtype=bool)
    for _, labels in book.produced:
        made[roots[labels]] = True
    live = made & (fixed < 0)
    group_of, unit_of, names = _number_units(labelling, roots, live)
    producers = _producers(labelling, roots, group_of)
    normalised = {int(group) for labels in book.normalised for group in _groups_on(labels, roots, group_of)}
    groups = tuple(
        ChannelGroup(
            name=name,
            width=int((group_of == index).sum()),
            layers=tuple(producers[index]),
            normalised=index in normalised,
        )
        for index, name in enumerate(names)
    )
    tensors = {}
    for tensor, axes in labelling.tensors.items():
        layouts = tuple(
            AxisLayout(
                role=book.roles.get((tensor, axis), "output"),
                groups=group_of[roots[labels]],
                units=unit_of[roots[labels]],
            )
            for axis, labels in enumerate(axes)
        )
        if any(layout.labelled for layout in layouts):
            tensors[tensor] = layouts
    refused = _refused(labelling, roots, fixed, obstacles)
    splits: dict[str, list[str]] = defaultdict(list)
    for site, labels in book.splits.items():
        for group in _groups_on(labels, roots, group_of):
            splits[names[group]].append(site)
    return Findings(
        channel_map=ChannelMap(
            groups=groups, tensors=tensors, shapes=dict(shapes), parameters=parameters, refused=refused
        ),
        sliced=frozenset(names[group] for axis in book.sliced for group in _groups_on(axis, roots, group_of)),
        facts=book.facts,
        splits={name: tuple(sites) for name, sites in splits.items()},
        choices=book.choices,
    )


def _groups_on(labels: Labels, roots: Labels, group_of: Labels) -> Labels:
    groups = np.unique(group_of[roots[labels[labels >= 0]]])
    return groups[groups >= 0]


def _number_units(labelling: Labelling, roots: Labels, live: np.ndarray) -> tuple[Labels, Labels, list[str]]:
    """Group and unit number per root, and the names of the groups.

    Units are told apart by how often they occur on every axis of every tensor and every operator's result.
    """
    kind = np.zeros(len(roots), dtype=np.int64)
    fresh = 1
    for axis in [*(axis for axes in labelling.tensors.values() for axis in axes), *labelling.results]:
        present = roots[axis[axis >= 0]]
        present = present[live[present]]
        if present.size == 0:
            continue
        units, counts = np.unique(present, return_counts=True)
        _, refined = np.unique(np.stack([kind[units], counts]), axis=1, return_inverse=True)
        kind[units] = fresh + refined.reshape(-1)
        fresh += len(units)
    group_of = np.full(len(roots), NOT_A_CHANNEL, dtype=np.int64)
    unit_of = group_of.copy()
    numbers: dict[int, int] = {}
    widths: list[int] = []
    names: list[str] = []
    for layer, labels in labelling.book.produced:
        for root in roots[labels]:
            if not live[root] or group_of[root] >= 0:
                continue
            group = numbers.setdefault(int(kind[root]), len(numbers))
            if group == len(widths):
                same = sum(name.split("#")[0] == layer for name in names)
                names.append(layer if not same else f"{layer}#{same + 1}")
                widths.append(0)
            group_of[root], unit_of[root] = group, widths[group]
            widths[group] += 1
    return group_of, unit_of, names


def _producers(labelling: Labelling, roots: Labels, group_of: Labels) -> dict[int, list[str]]:
    layers: dict[int, list[str]] = defaultdict(list)
    for layer, labels in labelling.book.produced:
        for group in np.unique(group_of[roots[labels]]):
            if group >= 0 and layer not in layers[int(group)]:
                layers[int(group)].append(layer)
    return layers


def _refused(
    labelling: Labelling, roots: Labels, fixed: Labels, obstacles: Sequence[Obstacle]
) -> tuple[RefusedGroup, ...]:
    layers: dict[int, list[str]] = defaultdict(list)
    for layer, labels in labelling.book.produced:
        for number in np.unique(fixed[roots[labels]]):
            if number >= 0 and not obstacles[number].quiet and layer not in layers[int(number)]:
                layers[int(number)].append(layer)
    return tuple(
        RefusedGroup(
            layers=tuple(layers[number]),
            operator=obstacles[number].operator,
            where=obstacles[number].where,
            reason=obstacles[number].reason,
        )
        for number in sorted(layers)
    )
