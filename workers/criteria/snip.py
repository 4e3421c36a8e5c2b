"""Connection sensitivity (SNIP; Lee et al. 2019, arXiv:1810.02340, equation 6), summed over the filter of a unit."""

from workers.criteria._base import Evidence, Scores, criterion


@criterion(reads="gradients")
def snip(evidence: Evidence) -> Scores:
    """Sum of |g w| over the weights that produce a unit, where g is the gradient of the mean loss over all images.

    Not divided by the sum over the network, which changes no order.
    """
    return evidence.statistic("connection")
