"""Widths by a fraction per stage, written down (Rethinking, section 5: guided and transferred guided designs)."""

from collections.abc import Sequence

from workers.allocation._base import Question, allocator
from workers.allocation.depth import follow_template
from workers.allocation.proportions import in_proportion


@allocator(reason="widths are whole numbers and no nearer ones exist in the template's proportions")
def template(question: Question, *, fractions: Sequence[float]) -> dict[str, int]:
    """Keep fractions in the template's proportions, scaled so that the target is met.

    Args:
        question: The target and the groups.
        fractions: What stays in each stage, from the first to the last, above 0.
    """
    return in_proportion(question, follow_template(question.channel_map, fractions))
