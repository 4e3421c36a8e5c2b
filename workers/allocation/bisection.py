"""From a family of widths with one free number to those that meet a target."""

from collections.abc import Callable, Mapping

from workers.allocation._base import AllocationProblem


def nearest_to_target(
    problem: AllocationProblem, family: Callable[[float], Mapping[str, int]], *, high: float
) -> dict[str, int]:
    """The widths of a family whose cost is nearest to the target's, each moved into the range that it may have.

    The number is found by bisection. Rounding moves many groups at once, so between the last number that removes too
    little and the first that removes too much the groups are shrunk one by one, the widest first, as long as that
    brings the cost nearer.

    Args:
        problem: The target and the groups.
        family: From a number in [0, high] to the width of every group; no width falls as the number rises.
        high: The number at which all groups are whole.
    """
    cost, full = problem.cost, problem.channel_map.widths()
    smallest, largest = problem.smallest(), problem.largest()
    wanted = (1 - problem.target) * cost({})

    def widths_at(number: float) -> dict[str, int]:
        return {name: min(largest[name], max(smallest[name], width)) for name, width in family(number).items()}

    low = 0.0
    while widths_at(low) != widths_at(high) and high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if cost(widths_at(middle)) >= wanted else (middle, high)
    narrow, best = widths_at(low), widths_at(high)
    current = dict(best)
    for name in sorted(full, key=lambda name: (-full[name], name)):
        current[name] = narrow[name]
        if abs(cost(current) - wanted) < abs(cost(best) - wanted):
            best = dict(current)
    return best
