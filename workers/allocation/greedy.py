"""Greedy allocations: channels go one by one, always where the error grows least per cost saved.

Needs errors of the weights, or losses measured with one group pruned at a time. Interactions between groups are
ignored.
"""

import heapq
import math

from workers.allocation._base import AllocationProblem, Errors, allocator

_REASON = "channels are whole, and the next one would remove too much"


@allocator(needs=["weights"], reason=_REASON)
def least_error(problem: AllocationProblem) -> dict[str, int]:
    """Take one channel after the other, always where the error of the weights grows least per cost saved."""
    return cheapest_first(problem, problem.errors())


@allocator(needs=["losses"], reason=_REASON)
def sensitivity(problem: AllocationProblem) -> dict[str, int]:
    """Take one channel after the other, always where the loss grows least per cost saved.

    Li et al. 2017, arXiv:1608.08710, section 3.2, made automatic.
    """
    return cheapest_first(problem, problem.losses())


def cheapest_first(problem: AllocationProblem, errors: Errors) -> dict[str, int]:
    """Take one channel after the other, always where the error grows least per cost saved.

    Greedy with lazy updates: the cost that a channel saves falls as other groups shrink, so the price of a group in
    the queue can only have risen.

    Args:
        problem: The target and the groups.
        errors: Comparable between groups, as those of `workers.allocation.errors` are.
    """
    widths, smallest = problem.largest(), problem.smallest()
    left = problem.cost(widths)
    wanted = (1 - problem.target) * problem.cost({})

    def price(name: str) -> tuple[float, float]:
        """Of the group's next channel: error per cost saved, and the cost that would be left."""
        taken = len(errors[name]) - widths[name]
        error = float(errors[name][taken + 1] - errors[name][taken])
        remaining = float(problem.cost({**widths, name: widths[name] - 1}))
        return error / (left - remaining) if left > remaining else math.inf, remaining

    queue = [(price(name)[0], name) for name, width in widths.items() if width > smallest[name]]
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
        if widths[name] > smallest[name]:
            heapq.heappush(queue, (price(name)[0], name))
    return widths
