"""Average percentage of zeros (APoZ; Hu et al. 2016, arXiv:1607.03250, equation 1)."""

from workers.criteria._base import Evidence, Scores, criterion


@criterion(reads="activations")
def apoz(evidence: Evidence) -> Scores:
    """Fraction of the images' positions at which the feature map is not zero: one less APoZ, since low scores go."""
    return evidence.statistic("active")
