"""The same fraction of every channel group, as near to the target as whole numbers allow.

Knows widths and parameter counts; knows neither scores nor weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from workers.channels import ChannelMap, ParameterCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Widths and what they reach.

    Attributes:
        widths: Group name -> channels that stay, at least 1.
        compression: Fraction of all parameters removed.
        note: Why `compression` is more than one percentage point from the target; else empty.
    """

    widths: Mapping[str, int]
    compression: float
    note: str = ""


def uniform_widths(channel_map: ChannelMap, target: float) -> Allocation:
    """Keep the same fraction of every group so that `target` of all parameters are removed.

    The fraction is found by bisection. Rounding moves many groups at once, so between the last fraction that removes
    too little and the first that removes too much the groups are shrunk one by one, the widest first, as long as that
    brings the count nearer.

    Args:
        channel_map: The network's channel groups.
        target: Fraction of all parameters to remove, in [0, 1).
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
    return Allocation(widths=best, compression=reached, note=_note(channel_map, best, target, reached))


def _note(channel_map: ChannelMap, widths: Mapping[str, int], target: float, reached: float) -> str:
    if abs(reached - target) <= 0.01:
        return ""
    if not widths:
        reason = "the network has no channel group that can be pruned"
    elif all(width == 1 for width in widths.values()):
        reason = "every group that can be pruned is down to one channel"
    else:
        reason = "widths are whole numbers and no nearer ones exist at one fraction for all groups"
    refused = "; ".join(
        f"{', '.join(group.layers)} ({group.operator}): {group.reason}" for group in channel_map.refused
    )
    kept = f"; kept whole: {refused}" if refused else ""
    return f"asked {target:.0%}, reached {reached:.1%}: {reason}{kept}"
