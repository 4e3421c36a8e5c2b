"""Rank of the feature maps (HRank; Lin et al. 2020, arXiv:2002.10179, equation 4)."""

from workers.criteria._base import Evidence, Scores, criterion


@criterion(reads="ranks")
def hrank(evidence: Evidence) -> Scores:
    """Mean over the images of the rank of the unit's feature map."""
    return evidence.statistic("rank")
