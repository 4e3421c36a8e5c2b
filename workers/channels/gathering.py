"""From joined atoms to groups of units.

Indices that the rules joined are one unit; units that no operator distinguishes are one group. The result is not yet
proved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workers.channels.atoms import Obstacle
from workers.channels.labelling import Labelling
from workers.channels.layout import (
    NOT_A_CHANNEL,
    AxisLayout,
    ChannelGroup,
    ChannelMap,
    Labels,
    RefusedGroup,
)
from workers.channels.origins import Place
from workers.channels.trace import layer_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFindings:
    """The findings of the rules in a network.

    Attributes:
        channel_map: the map, not yet proved.
        sliced: names of the groups whose axes are sliced.
        facts: numbers that must not change when channels are removed, by the call that uses them.
        shapes: sizes of the axes of the results of a call, by its site.
        owned: how many indices of each of these axes belong to which group, by its name.
        reads: sites of the calls whose results a call reads, by its site.
        stacks: dotted paths of the modules at work at a call, the innermost last, by its site.
        splits: sites of the views that split a group's channels, by the group's name.
        heads: names of the groups that are split for an attention product.
        stuck: sites of the views that split channels which have to stay.
        choices: the interpretation chosen for each of these views.
        further: the next interpretation of each view that has one left.
        numbers: of the axis whose length is a number in a module, how many entries belong to which group.
    """

    channel_map: ChannelMap
    sliced: frozenset[str]
    facts: Mapping[str, tuple[float, ...]]
    shapes: Mapping[str, tuple[int, ...]]
    owned: Mapping[str, tuple[Mapping[str, int], ...]]
    reads: Mapping[str, tuple[str, ...]]
    stacks: Mapping[str, tuple[str, ...]]
    splits: Mapping[str, tuple[str, ...]]
    heads: frozenset[str]
    stuck: frozenset[str]
    choices: Mapping[str, int]
    further: Mapping[str, int]
    numbers: Mapping[Place, Mapping[str, int]]

    def untried(self, groups: Iterable[str]) -> dict[str, int]:
        """The next interpretations of the views that split these groups."""
        return self.changed({site for name in groups for site in self.splits.get(name, ())})

    def changed(self, sites: Collection[str]) -> dict[str, int]:
        """The next interpretations of these views."""
        return {site: axis for site, axis in self.further.items() if site in sites}

    def shapes_at(self, widths: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """`shapes` when groups have these widths."""
        full = self.channel_map.widths()
        lost = {name: 1 - width / full[name] for name, width in widths.items()}
        return {
            site: tuple(
                size - round(sum(count * lost.get(name, 0) for name, count in owned.items()))
                for size, owned in zip(sizes, self.owned[site], strict=True)
            )
            for site, sizes in self.shapes.items()
        }


def gather(
    labelling: Labelling,
    shapes: Mapping[str, tuple[int, ...]],
    parameters: frozenset[str],
    applications: Mapping[str, int],
) -> ChannelFindings:
    """Turns joined atoms into units and groups.

    Args:
        labelling: labels of all tensors.
        shapes: shapes of all parameters and buffers.
        parameters: first names of the parameters.
        applications: see `ChannelMap`.
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
    unmixable = _unmixable(labelling, roots, group_of)
    groups = tuple(
        ChannelGroup(
            name=name,
            width=int((group_of == index).sum()),
            layers=tuple(producers[index]),
            normalised=index in normalised,
            unmixable=unmixable.get(index, ""),
        )
        for index, name in enumerate(names)
    )
    tensors = {}
    for tensor, axes in labelling.tensors.items():
        layouts = tuple(
            AxisLayout(
                role="input" if (labelling.first.get(tensor, tensor), axis) in book.contracted else "output",
                groups=np.where(labels >= 0, group_of[roots[labels]], NOT_A_CHANNEL),
                units=np.where(labels >= 0, unit_of[roots[labels]], NOT_A_CHANNEL),
            )
            for axis, labels in enumerate(axes)
        )
        if any(layout.labelled for layout in layouts):
            tensors[tensor] = layouts
    refused = _refused(labelling, roots, fixed, obstacles, parameters)
    splits: dict[str, list[str]] = defaultdict(list)
    stuck = set()
    for site, split in book.splits.items():
        for group in _groups_on(split.labels, roots, group_of):
            splits[names[group]].append(site)
        if (fixed[roots[split.labels[split.labels >= 0]]] >= 0).any():
            stuck.add(site)
    owners = _Owners(group_of[roots], names)
    return ChannelFindings(
        channel_map=ChannelMap(
            groups=groups,
            tensors=tensors,
            shapes=dict(shapes),
            parameters=parameters,
            refused=refused,
            applications=applications,
            divisors=frozenset(name for name in book.divisors if name in tensors),
        ),
        sliced=frozenset(names[group] for axis in book.sliced for group in _groups_on(axis, roots, group_of)),
        facts=book.facts,
        shapes={site: tuple(axis.size for axis in axes) for site, axes in labelling.results.items()},
        owned={site: tuple(map(owners.of, axes)) for site, axes in labelling.results.items()},
        reads=labelling.reads,
        stacks=labelling.stacks,
        splits={name: tuple(sites) for name, sites in splits.items()},
        heads=frozenset(name for name, sites in splits.items() if not book.heads.isdisjoint(sites)),
        stuck=frozenset(stuck),
        choices=book.choices,
        further={
            site: split.interpretations[split.interpretations.index(book.choices[site]) + 1]
            for site, split in book.splits.items()
            if book.choices[site] in split.interpretations[:-1]
        },
        numbers={place: owners.of(axis) for place, axis in labelling.numbers.items()},
    )


class _Owners:
    """How many entries of an axis belong to which group, by its name.

    Args:
        group_of: number of the group of an atom.
        names: of the groups.
    """

    def __init__(self, group_of: Labels, names: Sequence[str]) -> None:
        self._group_of, self._names = group_of, names
        self._known: dict[int, tuple[Labels, dict[str, int]]] = {}

    def of(self, axis: Labels) -> dict[str, int]:
        """The same for one axis; many calls share one."""
        known = self._known.get(id(axis))
        if known is None:
            counts = np.bincount(self._group_of[axis[axis >= 0]] + 1, minlength=1)[1:]
            owned = {self._names[int(group)]: int(counts[group]) for group in np.flatnonzero(counts)}
            known = self._known[id(axis)] = axis, owned
        return known[1]


def _distinct(labelling: Labelling, roots: Labels, live: np.ndarray) -> Iterator[Labels]:
    """The roots of channels on every axis of every tensor and every result, alike ones once."""
    axes = (axis for each in (labelling.tensors, labelling.results) for axes in each.values() for axis in axes)
    seen = set()
    for axis in {id(axis): axis for axis in axes}.values():
        present = roots[axis[axis >= 0]]
        present = present[live[present]]
        if present.size and (key := present.tobytes()) not in seen:
            seen.add(key)
            yield present


def _groups_on(labels: Labels, roots: Labels, group_of: Labels) -> Labels:
    groups = np.unique(group_of[roots[labels[labels >= 0]]])
    return groups[groups >= 0]


def _unmixable(labelling: Labelling, roots: Labels, group_of: Labels) -> dict[int, str]:
    """Why the channels of some groups cannot be mixed into fewer: the first reason of each."""
    found: dict[int, str] = {}
    tied = [
        (labelling.tensors[name][axis], f"{name} sums over its channels in one place and makes them in another")
        for (name, axis), sites in labelling.book.contracted.items()
        if labelling.book.met[name] - sites
    ]
    for labels, reason in (*labelling.book.summed, *tied):
        for group in _groups_on(labels, roots, group_of):
            found.setdefault(int(group), reason)
    return found


def _number_units(labelling: Labelling, roots: Labels, live: np.ndarray) -> tuple[Labels, Labels, list[str]]:
    """Group and unit number per root, and the names of the groups.

    Units are distinguished by how often they occur on every axis of every tensor and every operator's result.
    """
    kind = np.zeros(len(roots), dtype=np.int64)
    fresh = 1
    for present in _distinct(labelling, roots, live):
        units, counts = np.unique(present, return_counts=True)
        _, refined = np.unique(kind[units] * (counts.max() + 1) + counts, return_inverse=True)
        kind[units] = fresh + refined
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
    labelling: Labelling, roots: Labels, fixed: Labels, obstacles: Sequence[Obstacle], parameters: frozenset[str]
) -> tuple[RefusedGroup, ...]:
    layers: dict[int, list[str]] = defaultdict(list)
    for layer, labels in labelling.book.produced:
        for number in np.unique(fixed[roots[labels]]):
            if number >= 0 and not obstacles[number].quiet and layer not in layers[int(number)]:
                layers[int(number)].append(layer)
    for layer, number in _unmade(labelling, roots, fixed, parameters):
        if not obstacles[number].quiet and layer not in layers[number]:
            layers[number].append(layer)
    return tuple(
        RefusedGroup(
            layers=tuple(layers[number]),
            operator=obstacles[number].operator,
            where=obstacles[number].where,
            reason=obstacles[number].reason,
        )
        for number in sorted(layers)
    )


def _unmade(
    labelling: Labelling, roots: Labels, fixed: Labels, parameters: frozenset[str]
) -> Iterator[tuple[str, int]]:
    """Weights that no rule knows for those of a layer, such as a recurrent layer's, and the obstacle of each."""
    made = np.zeros(len(roots), dtype=bool)
    for _, labels in labelling.book.produced:
        made[roots[labels]] = True
    for name in sorted(parameters & labelling.tensors.keys()):
        axes = labelling.tensors[name]
        labels = np.concatenate(axes) if len(axes) > 1 else np.empty(0, dtype=np.int64)
        labels = roots[labels[labels >= 0]]
        if labels.size and (fixed[labels] >= 0).all() and not made[labels].any():
            yield layer_name(name), int(fixed[labels[0]])
