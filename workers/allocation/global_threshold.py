"""One threshold on the scores of all groups (network slimming: Liu et al. 2017, arXiv:1708.06519, section 3).

With a floor: without one a layer can lose all its channels. Needs scores that can be compared between groups.
"""

from typing import Literal

from workers.allocation._base import Question, allocator, smallest_widths
from workers.allocation.ranking import comparable, lowest_first, removable


@allocator(needs=["scores"])
def global_threshold(
    question: Question, *, floor: float = 0.1, normalize: Literal["none", "group"] = "none"
) -> dict[str, int]:
    """Take the channels with the lowest scores of all, wherever they are.

    Args:
        question: The target and the scores.
        floor: Fraction of each group's width that stays, and at least one channel.
        normalize: `group` divides the scores of a group by their mean.
    """
    scores = comparable(question.scores(), normalize)
    return lowest_first(question, removable(scores, smallest_widths(question.channel_map, floor)))
