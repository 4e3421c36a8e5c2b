"""Widths in given proportions: equal ones, those of a template, or those of another method's designs.

Uses no channel importance; `guided` needs the networks that the other method made.
"""

from collections.abc import Mapping, Sequence

from workers.allocation._base import AllocationProblem, allocator
from workers.allocation.bisection import nearest_to_target
from workers.allocation.depth import design_template, follow_template


@allocator(reason="widths are whole numbers and no nearer ones exist at one fraction for all groups")
def uniform(problem: AllocationProblem) -> dict[str, int]:
    """Keep the same fraction of every group."""
    return in_proportion(problem, dict.fromkeys(problem.channel_map.widths(), 1.0))


@allocator(reason="widths are whole numbers and no nearer ones exist in the template's proportions")
def template(problem: AllocationProblem, *, fractions: Sequence[float]) -> dict[str, int]:
    """Keep fractions in the template's proportions, scaled so that the target is met.

    Rethinking, section 5: designs that are written down, and carry over to other networks and data.

    Args:
        problem: The target and the groups.
        fractions: What stays in each stage, from the first to the last, above 0.
    """
    return in_proportion(problem, follow_template(problem.channel_map, fractions))


@allocator(needs=["designs"], reason="widths are whole numbers and no nearer ones exist in the design's proportions")
def guided(problem: AllocationProblem) -> dict[str, int]:
    """Keep fractions in the proportions of the designs, averaged per stage, scaled so that the target is met.

    Rethinking, section 5: guided designs; on another network transferred ones.
    """
    return in_proportion(problem, follow_template(problem.channel_map, design_template(problem.designs())))


def in_proportion(problem: AllocationProblem, fractions: Mapping[str, float]) -> dict[str, int]:
    """Keep of every group a fraction that is a common scale times its own, at most all of it, as near as may be.

    Args:
        problem: The target and the groups.
        fractions: Group name -> its own fraction, above 0.
    """
    full = problem.channel_map.widths()

    def widths_at(scale: float) -> dict[str, int]:
        return {name: round(width * fractions[name] * scale) for name, width in full.items()}

    return nearest_to_target(problem, widths_at, high=1 / min(fractions.values(), default=1.0))
