"""The widths that each channel group may have, from what a sweep file says of single layers. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from jobs.stages.common import WidthLimits
from workers.allocation.patterns import check_patterns, covers, touches
from workers.channels import ChannelGroup, ChannelMap

V = TypeVar("V", bound=int | float)


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthRange:
    """The widths that a group may have.

    Attributes:
        full: Its width in the whole network.
        smallest: At least 1.
        largest: At most its full width.
        multiple: Widths are multiples of it, or full.
        why: What fixed its width, in the words of the sweep file, or why it cannot change; empty where it is free.
    """

    full: int
    smallest: int
    largest: int
    multiple: int = 1
    why: str = ""

    @property
    def kept(self) -> bool:
        """Whether nothing of it may go."""
        return self.smallest == self.full

    @property
    def allowed(self) -> Sequence[int]:
        """The allowed widths, ascending; at least one."""
        first = math.ceil(self.smallest / self.multiple) * self.multiple
        widths = {*range(first, self.largest + 1, self.multiple)}
        if self.largest == self.full or not widths:
            widths.add(self.largest)
        return sorted(widths)


Ranges = Mapping[str, WidthRange]
"""Group name -> the widths that it may have."""


def ranges_of(
    channel_map: ChannelMap,
    limits: WidthLimits,
    *,
    floor: float = 0.0,
    multiple: int = 1,
    mixed: bool = False,
    present: Mapping[str, int] | None = None,
    gone: Callable[[float], float] = lambda total: total,
) -> dict[str, WidthRange]:
    """The widths that every group may have.

    Args:
        channel_map: The channel groups of the whole network.
        limits: What the sweep file says.
        floor: Fraction of a group's width that stays where it says nothing else.
        multiple: Of which widths are where it says nothing else.
        mixed: Whether channels are mixed into fewer, which some groups do not stand, rather than removed.
        present: Group name -> channels that earlier rounds have left; default: all.
        gone: From the ratio of a layer to the part of it that is gone after this round.

    Raises:
        BadInputError: A pattern matches nothing.
    """
    check_patterns(channel_map, limits)
    return {
        group.name: _range_of(
            group,
            limits,
            floor=_last(limits.floor, group, floor),
            multiple=_last(limits.multiple, group, multiple),
            mixed=mixed,
            present=(present or {}).get(group.name, group.width),
            gone=gone,
        )
        for group in channel_map.groups
    }


def _range_of(
    group: ChannelGroup,
    limits: WidthLimits,
    *,
    floor: int | float,
    multiple: int,
    mixed: bool,
    present: int,
    gone: Callable[[float], float],
) -> WidthRange:
    kept = next((each for each in limits.keep or () if touches(each, group)), None)
    if kept is not None:
        return WidthRange(full=group.width, smallest=group.width, largest=group.width, why=f"keep: {kept}")
    if limits.only is not None and not covers(limits.only, group):
        return WidthRange(full=group.width, smallest=group.width, largest=group.width, why="not in only")
    if mixed and group.unmixable:
        return WidthRange(full=group.width, smallest=group.width, largest=group.width, why=group.unmixable)
    least = smallest_width(group.width, floor, multiple)
    free = WidthRange(full=group.width, smallest=min(least, present), largest=present, multiple=multiple)
    ratio = _last(limits.ratios, group, math.nan)
    if math.isnan(ratio):
        return free
    wanted = (1 - gone(ratio)) * group.width
    width = min(free.allowed, key=lambda each: (abs(each - wanted), each))
    return WidthRange(full=group.width, smallest=width, largest=width, multiple=multiple, why=f"ratio {ratio:g}")


def smallest_width(width: int, floor: int | float, multiple: int = 1) -> int:
    """The smallest width that a group may have.

    Args:
        width: Its full width.
        floor: What stays at least: below 1 a fraction, from 1 a number of channels; never less than one channel.
        multiple: Of which widths are, unless they are full.
    """
    channels = int(floor) if floor >= 1 else max(1, math.ceil(round(floor * width, 9)))
    return min(width, math.ceil(channels / multiple) * multiple)


def _last(given: Sequence[tuple[str, V]] | None, group: ChannelGroup, default: V) -> V:
    """The value of the last pattern that matches a group."""
    return next((value for pattern, value in reversed(given or ()) if touches(pattern, group)), default)
