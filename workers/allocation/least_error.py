"""Channels go where they cost least: a width per group from what taking its channels does to the weights.

Knows errors and parameter counts; knows neither scores nor weights.
"""

import heapq
from collections.abc import Callable

from workers.allocation._base import Allocation, Errors, note_on
from workers.channels import ChannelMap, ParameterCount


def least_error(channel_map: ChannelMap, target: float, errors: Callable[[], Errors]) -> Allocation:
    """Take one channel after the other, always where the error grows least per parameter saved. See `Allocator`.

    Greedy, and lazily so: what a channel saves falls as other groups shrink, so that the price of a group that was
    not looked at for a while can only have risen. The errors of different groups have to be comparable, as those of
    `workers.allocation.errors` are.
    """
    count = ParameterCount(channel_map)
    costs = errors()
    widths = {group.name: group.width for group in channel_map.groups}
    total = left = count(widths)
    wanted = (1 - target) * total

    def price(name: str) -> tuple[float, int]:
        """Of the group's next channel: error per parameter, and the parameters that would be left."""
        taken = len(costs[name]) - widths[name]
        error = float(costs[name][taken + 1] - costs[name][taken])
        remaining = count({**widths, name: widths[name] - 1})
        return error / (left - remaining), remaining

    queue = [(price(name)[0], name) for name, width in widths.items() if width > 1]
    heapq.heapify(queue)
    while queue and left > wanted:
        known, name = heapq.heappop(queue)
        now, remaining = price(name)
        if queue and now > known and now > queue[0][0]:
            heapq.heappush(queue, (now, name))
            continue
        if abs(remaining - wanted) >= abs(left - wanted):
            break  # only the last channel can overshoot: take it if that is nearer
        widths[name], left = widths[name] - 1, remaining
        if widths[name] > 1:
            heapq.heappush(queue, (price(name)[0], name))
    reached = 1 - left / total
    reason = "channels are whole, and the next one would remove too much"
    return Allocation(widths=widths, compression=reached, note=note_on(channel_map, widths, target, reached, reason))
