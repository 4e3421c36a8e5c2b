"""Widths by what another method found (Rethinking, section 5: guided designs; on another network transferred ones).

Needs the networks that the other method made.
"""

from workers.allocation._base import Question, allocator
from workers.allocation.depth import design_template, follow_template
from workers.allocation.proportions import in_proportion


@allocator(needs=["designs"], reason="widths are whole numbers and no nearer ones exist in the design's proportions")
def guided(question: Question) -> dict[str, int]:
    """Keep fractions in the proportions of the designs, averaged per stage, scaled so that the target is met."""
    return in_proportion(question, follow_template(question.channel_map, design_template(question.designs())))
