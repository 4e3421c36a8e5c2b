"""Fisher information of a unit (Theis et al. 2018, arXiv:1801.05787, equation 8)."""

from workers.criteria._base import Evidence, Scores, criterion


@criterion(reads="gradients")
def fisher(evidence: Evidence) -> Scores:
    """Half the mean over the images of the squared derivative of the loss by a gate on the unit.

    It is the diagonal of optimal brain damage's Hessian (LeCun et al. 1990), for units in place of weights and with the
    Fisher information in place of the Hessian.
    """
    return {name: squares / 2 for name, squares in evidence.statistic("square").items()}
