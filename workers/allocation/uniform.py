"""The same fraction of every channel group, as near to the target as whole numbers allow.

Knows widths and parameter counts; knows neither scores nor weights.
"""

from collections.abc import Callable

from workers.allocation._base import Allocation, Errors, note_on
from workers.channels import ChannelMap, ParameterCount


def uniform(channel_map: ChannelMap, target: float, errors: Callable[[], Errors]) -> Allocation:
    """Keep the same fraction of every group. See `Allocator`; the errors are not asked for.

    The fraction is found by bisection. Rounding moves many groups at once, so between the last fraction that removes
    too little and the first that removes too much the groups are shrunk one by one, the widest first, as long as that
    brings the count nearer.
    """
    count = ParameterCount(channel_map)
    full = {group.name: group.width for group in channel_map.groups}
    total = count(full)
    wanted = (1 - target) * total

    def widths_at(fraction: float) -> dict[str, int]:
        return {name: max(1, round(width * fraction)) for name, width in full.items()}

    low, high = 0.0, 1.0
    while widths_at(low) != widths_at(high) and high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if count(widths_at(middle)) >= wanted else (middle, high)
    narrow, best = widths_at(low), widths_at(high)
    current = dict(best)
    for name in sorted(full, key=lambda name: (-full[name], name)):
        current[name] = narrow[name]
        if abs(count(current) - wanted) < abs(count(best) - wanted):
            best = dict(current)
    reached = 1 - count(best) / total
    reason = "widths are whole numbers and no nearer ones exist at one fraction for all groups"
    return Allocation(widths=best, compression=reached, note=note_on(channel_map, best, target, reached, reason))
