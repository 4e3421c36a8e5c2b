"""Widths at which a network is tried: what a proof cuts, how much of it, and what at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, count
from math import comb

from workers.channels.layout import ChannelMap


def separate_cuts(widths: Mapping[str, int], names: Sequence[str]) -> Iterator[dict[str, int]]:
    """Cuts of some of these groups at a time: each in three rounds, not all of which any other group is in, too.

    Neighbours in a round are cut by other amounts.
    """
    smaller = {name: smaller_widths(widths, name) for name in names if widths[name] > 1}
    rounds = next(number for number in count(3) if comb(number, 3) >= len(smaller))
    members = list(zip(smaller.items(), combinations(range(rounds), 3), strict=False))
    for number in range(rounds if smaller else 0):
        yield {
            name: found[(place + at.index(number)) % len(found)]
            for place, ((name, found), at) in enumerate(members)
            if number in at
        }


def lone_cuts(widths: Mapping[str, int], names: Sequence[str]) -> Iterator[dict[str, int]]:
    """Cuts of one of these groups at a time, by every amount: together two can fit of which one alone does not."""
    for name in names:
        yield from ({name: width} for width in smaller_widths(widths, name))


def smaller_widths(widths: Mapping[str, int], name: str) -> list[int]:
    """Widths to try for a group alone; a single one could fit by rounding, or by being another group's width."""
    width = widths[name]
    others = {other for each, other in widths.items() if each != name}
    half = next((size for size in range(width // 2, 1, -1) if size not in others), width // 2)
    return [size for size in sorted({width - 1, width - 2, half}, reverse=True) if 1 <= size < width]


def cuts_of_all(channel_map: ChannelMap) -> dict[str, int]:
    """A smaller width of at least 2 for every group, by amounts that differ from one group to the next."""
    return {
        group.name: max(2, group.width - 1 - 3 * number % 7)
        for number, group in enumerate(channel_map.groups)
        if group.width > 2
    }


def cuts_to_one(channel_map: ChannelMap) -> dict[str, int]:
    """Width 1 for the groups that have no other smaller width."""
    return {group.name: 1 for group in channel_map.groups if group.width == 2}
