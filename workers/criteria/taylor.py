"""First-order change of the loss (Molchanov et al. 2019, arXiv:1906.10771, equations 8 and 9)."""

from workers.criteria._base import Evidence, Scores, criterion


@criterion(reads="gradients")
def taylor(evidence: Evidence) -> Scores:
    """The square of sum(g w): of the loss's derivative by a gate on the unit; mean over batches, as in the paper."""
    return evidence.statistic("batch_square")
