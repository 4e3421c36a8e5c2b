"""Norm of the filters: sum of |W| (Rethinking, section 4.1; Li et al. 2017, arXiv:1608.08710, section 3.1)."""

from workers.criteria._base import Evidence, Scores, criterion
from workers.criteria.filters import absolute_sums


@criterion()
def l1(evidence: Evidence) -> Scores:
    """Sum of the absolute weights that produce a unit, over all layers of its group."""
    return absolute_sums(evidence.state, evidence.channel_map)
