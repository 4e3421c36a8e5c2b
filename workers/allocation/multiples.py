"""Moves widths to those that are allowed, such as multiples of a number, in proportion to what was chosen. Pure.

Runtimes compute whole vectors and tiles, so that a width of 8 k costs as much as one of 8 k - 3.
"""

import math
from collections.abc import Callable, Mapping, Sequence

_STEPS = 40  # of the bisection of a factor


def multiples_of(multiple: int, full: int, *, least: int = 1) -> list[int]:
    """The multiples of a number from `least` on that are below a width, and that width itself, ascending."""
    return [*range(math.ceil(least / multiple) * multiple, full, multiple), full]


def move_to_allowed(
    widths: Mapping[str, int],
    allowed: Mapping[str, Sequence[int]],
    *,
    cost: Callable[[Mapping[str, int]], float],
    target: float,
) -> dict[str, int]:
    """The allowed widths that remove `target` of the cost as closely as this finds.

    All widths are scaled by one factor and rounded, the largest factor that stays below the target cost; then single
    groups get their next allowed width while that stays below it, those first that rounding cut most; at last one group
    may exceed it, if that comes nearer.

    Args:
        widths: Group name -> channels that stay, as chosen.
        allowed: Group name -> the widths that it may have, ascending.
        cost: As a function of the widths; never falls when a group gets wider.
        target: Fraction of the cost to remove.
    """
    budget = (1 - target) * cost({})

    def scaled(factor: float) -> dict[str, int]:
        return {name: _nearest(allowed[name], width * factor) for name, width in widths.items()}

    low, high = 0.0, max((allowed[name][-1] / width for name, width in widths.items()), default=1.0) + 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if cost(scaled(middle)) <= budget else (low, middle)
    found = scaled(low)
    by_loss = sorted(widths, key=lambda name: found[name] - widths[name] * low)
    for name in by_loss:
        wider = _widened(found, name, allowed)
        if cost(wider) <= budget:
            found = wider
    nearest = min((_widened(found, name, allowed) for name in by_loss), key=lambda each: abs(cost(each) - budget))
    return nearest if abs(cost(nearest) - budget) < abs(cost(found) - budget) else found


def _widened(widths: Mapping[str, int], name: str, allowed: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """The widths with the next allowed one of a group; the largest has none."""
    return {**widths, name: next((each for each in allowed[name] if each > widths[name]), widths[name])}


def _nearest(allowed: Sequence[int], width: float) -> int:
    return min(allowed, key=lambda each: (abs(each - width), each))
