"""Norm of the filters: the root of the sum of W^2 (Li et al. 2017, arXiv:1608.08710, section 4.4)."""

from workers.criteria._base import Evidence, Scores, criterion
from workers.criteria.filters import filters


@criterion()
def l2(evidence: Evidence) -> Scores:
    """Euclidean norm of all weights that produce a unit."""
    return {name: rows.norm(dim=1) for name, rows in filters(evidence.state, evidence.channel_map).items()}
