"""Finds which whole numbers in a network's modules follow from the widths of its channel groups.

Candidates are the numbers that equal the size of an axis with channels, in what a call reads or returns that the module
makes or that is made on its behalf. When the network with fewer channels does not run, or computes with other sizes
than predicted, those of the modules at work there are tried, for all modules of a class at once. What helps is kept;
the proof of the map decides whether it was right.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, product
from typing import TypeAlias

from torch import nn

from workers.channels.attributes import SizeAttribute, SizeTerm, numbers_of, set_number
from workers.channels.gathering import ChannelFindings
from workers.channels.layout import ChannelMap, OwnedAxis
from workers.channels.origins import Place, is_own

Kind: TypeAlias = tuple[type[nn.Module], str, int | None]
"""Class of a module, name of an attribute, and position in it."""


@dataclass(frozen=True, slots=True)
class Size:
    """A size of an axis: a constant, and how many of its entries each unit of a group owns."""

    constant: int
    per_unit: tuple[tuple[str, int], ...]

    def at(self, widths: Mapping[str, int]) -> int:
        """The size at these widths, by group."""
        return self.constant + sum(times * widths[name] for name, times in self.per_unit)


Assignment: TypeAlias = Mapping[Place, Size]
"""What the numbers that follow are at any widths."""


class Candidates:
    """The numbers in a network's modules that may follow from widths, each with the sizes that it may stand for.

    Args:
        model: the network.
        found: its channel groups.
    """

    def __init__(self, model: nn.Module, found: ChannelFindings) -> None:
        self._widths = found.channel_map.widths()
        modules = dict(model.named_modules())
        self._numbers = {path: numbers_of(module) for path, module in modules.items() if is_own(module)}
        self._classes = {path: type(modules[path]) for path in self._numbers}
        self._sizes: dict[Place, list[Size]] = defaultdict(list)
        self._places: dict[Kind, list[Place]] = defaultdict(list)
        self._known = found.numbers.keys()
        self._collect(found)

    def assignments(
        self, stack: Sequence[str], first: Sequence[int] = (), read: Collection[tuple[str, str]] | None = None
    ) -> Iterator[Assignment]:
        """Assignments to try, the simplest first, for all modules of a class: of one number, of a tuple, of any two.

        Last come assignments of one number in one module.

        Args:
            stack: dotted paths of the modules at work, the innermost last.
            first: values of the numbers to begin with.
            read: path of the module and name of the attributes that the network reads; all of them if None.
        """
        places = [
            ((path, name, position), value)
            for path in reversed(stack)
            for (name, position), value in self._numbers.get(path, {}).items()
            if (path, name, position) in self._sizes and (read is None or (path, name) in read)
        ]
        places.sort(key=lambda entry: entry[1] not in first)
        return self._combined([place for place, _ in places])

    def _combined(self, places: Sequence[Place]) -> Iterator[Assignment]:
        whole = [
            tuple(place for place in places if place[:2] == attribute)
            for attribute in dict.fromkeys(place[:2] for place in places)
        ]
        tuples = [each for each in whole if len(each) > 1]
        for chosen in [*((place,) for place in places), *tuples, *combinations(places, 2)]:
            for ranks in product(*(range(len(self._sizes[place])) for place in chosen)):
                yield {
                    place: sizes
                    for one, rank in zip(chosen, ranks, strict=True)
                    for place, sizes in self._alike(one, rank).items()
                }
        for place in places:
            if len(self._places[self._kind(place)]) > 1:
                yield from ({place: size} for size in self._sizes[place])

    def _kind(self, place: Place) -> Kind:
        path, name, position = place
        return self._classes[path], name, position

    def _alike(self, place: Place, rank: int) -> Assignment:
        """The size of this rank for the number at a place, and at all places of its kind."""
        places = self._places[self._kind(place)]
        return {each: self._sizes[each][rank] for each in places if rank < len(self._sizes[each])}

    def _collect(self, found: ChannelFindings) -> None:
        for site, stack in found.stacks.items():
            for each in (site, *found.reads[site]):
                for size, owned in zip(found.shapes[each], found.owned[each], strict=True):
                    if owned:
                        self._note(stack, size, owned)

    def _note(self, stack: Sequence[str], size: int, owned: Mapping[str, int]) -> None:
        expression = _size(size, owned, self._widths)
        for path in stack:
            for (name, position), value in self._numbers.get(path, {}).items():
                place = path, name, position
                if value == size and place not in self._known and expression not in self._sizes[place]:
                    if not self._sizes[place]:
                        self._places[self._kind(place)].append(place)
                    self._sizes[place].append(expression)


def _size(size: int, owned: Mapping[str, int], widths: Mapping[str, int]) -> Size:
    """The size of an axis of which groups own as many entries."""
    each = ((name, count // widths[name]) for name, count in owned.items())
    return Size(size - sum(owned.values()), tuple(sorted(each)))


def known(model: nn.Module, found: ChannelFindings) -> Assignment:
    """The numbers in modules, and lengths of constant buffers, that are the length of an axis with channels."""
    widths = found.channel_map.widths()
    numbers = {path: numbers_of(module) | _lengths_of_buffers(module) for path, module in model.named_modules()}
    sizes = {
        (path, name, position): _size(numbers[path][name, position], owned, widths)
        for (path, name, position), owned in found.numbers.items()
        if owned
    }
    return sizes | _channels_of_norms(model, sizes)


def _channels_of_norms(model: nn.Module, sizes: Assignment) -> dict[Place, Size]:
    """How many channels norms have whose groups follow; they do not read that."""
    channels: dict[Place, Size] = {}
    for path, module in model.named_modules():
        groups = sizes.get((path, "num_groups", None))
        if groups is not None and isinstance(module, nn.GroupNorm):
            each = module.num_channels // module.num_groups
            per_unit = tuple((name, each * times) for name, times in groups.per_unit)
            channels[path, "num_channels", None] = Size(each * groups.constant, per_unit)
    return channels


def _lengths_of_buffers(module: nn.Module) -> dict[tuple[str, int | None], int]:
    names = module._non_persistent_buffers_set
    buffers = {name: buffer for name, buffer in module._buffers.items() if name in names and buffer is not None}
    return {(name, axis): size for name, buffer in buffers.items() for axis, size in enumerate(buffer.shape)}


def assign(model: nn.Module, assignment: Assignment, widths: Mapping[str, int]) -> None:
    """Sets the numbers of a network to their sizes at these widths."""
    for (path, name, position), size in assignment.items():
        set_number(model.get_submodule(path), name, position, size.at(widths))


class Unreadable(Exception):  # noqa: N818  # control flow of the proof, never leaves the package
    """The width of a group cannot be read off from the tensors; the argument is its name."""


def records(assignment: Assignment, channel_map: ChannelMap, widths: Mapping[str, int]) -> tuple[SizeAttribute, ...]:
    """The numbers that follow from groups of a map, in terms of tensors.

    Args:
        assignment: what the numbers are at any widths.
        channel_map: the map.
        widths: of all groups that the assignment knows; those that the map lacks stay as wide.

    Raises:
        Unreadable: a group does not show its width.
    """
    own = channel_map.widths()
    shown = _Shown(channel_map)
    result = []
    for (path, name, position), size in assignment.items():
        follows = {group: times for group, times in size.per_unit if group in own}
        if not follows:
            continue
        total = _Lengths(Fraction(size.at({group: 0 if group in own else widths[group] for group, _ in size.per_unit})))
        for group, times in follows.items():
            total = total.plus(shown.width(group, frozenset()), Fraction(times))
        result.append(total.record(path, name, position))
    return tuple(result)


@dataclass(frozen=True, slots=True)
class _Lengths:
    """A constant and multiples of the lengths of axes, by tensor and axis."""

    constant: Fraction
    factors: Mapping[tuple[str, int], Fraction] = field(default_factory=dict)

    def plus(self, other: _Lengths, times: Fraction) -> _Lengths:
        factors = dict(self.factors)
        for axis, factor in other.factors.items():
            factors[axis] = factors.get(axis, Fraction(0)) + times * factor
        return _Lengths(self.constant + times * other.constant, factors)

    def record(self, module: str, name: str, position: int | None) -> SizeAttribute:
        over = math.lcm(self.constant.denominator, *(factor.denominator for factor in self.factors.values()))
        return SizeAttribute(
            module=module,
            name=name,
            position=position,
            constant=int(self.constant * over),
            terms=tuple(
                SizeTerm(tensor=tensor, axis=axis, times=int(factor * over))
                for (tensor, axis), factor in self.factors.items()
                if factor
            ),
            over=over,
        )


class _Shown:
    """Widths of a map's groups as tensors show them."""

    def __init__(self, channel_map: ChannelMap) -> None:
        self._groups = channel_map.groups
        self._axes: dict[str, list[tuple[OwnedAxis, list[int]]]] = defaultdict(list)
        for owned in channel_map.owned_axes():
            self._axes[owned.group.name].append((owned, owned.layout.present()))
        for axes in self._axes.values():
            axes.sort(key=lambda each: len(each[1]))

    def width(self, group: str, above: frozenset[str]) -> _Lengths:
        """A group's width in lengths of axes; of an axis with other groups, their part is taken off.

        Args:
            group: its name.
            above: groups whose widths are being expressed, which must not be needed.
        """
        for owned, present in self._axes[group]:
            others = {index: self._groups[index] for index in present if index != owned.group_index}
            if any(other.name in above for other in others.values()):
                continue
            counts = {index: int((owned.layout.groups == index).sum()) for index in present}
            each = Fraction(1, counts[owned.group_index] // owned.group.width)
            free = owned.layout.groups.size - sum(counts.values())
            result = _Lengths(-free * each, {(owned.tensor, owned.axis): each})
            try:
                for index, other in others.items():
                    per_unit = counts[index] // other.width
                    result = result.plus(self.width(other.name, above | {group}), -per_unit * each)
            except Unreadable:
                continue
            return result
        raise Unreadable(group)
