"""Widths in given proportions, as near to a target as whole numbers allow.

Knows widths and a cost; refuses to know where the proportions come from.
"""

from collections.abc import Mapping

from workers.allocation._base import Question


def in_proportion(question: Question, fractions: Mapping[str, float]) -> dict[str, int]:
    """Keep of every group a fraction that is a common scale times its own, at most all of it.

    The scale is found by bisection. Rounding moves many groups at once, so between the last scale that removes too
    little and the first that removes too much the groups are shrunk one by one, the widest first, as long as that
    brings the cost nearer.

    Args:
        question: The target and the groups.
        fractions: Group name -> its own fraction, above 0.
    """
    cost, full = question.cost, question.channel_map.widths()
    wanted = (1 - question.target) * cost({})

    def widths_at(scale: float) -> dict[str, int]:
        return {name: min(width, max(1, round(width * fractions[name] * scale))) for name, width in full.items()}

    low, high = 0.0, 1 / min(fractions.values(), default=1.0)
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
