"""Criteria by the change of the loss when a unit is removed: estimated from gradients, or measured."""

from workers.criteria._base import Evidence, Scores, criterion


@criterion(reads="gradients")
def taylor(evidence: Evidence) -> Scores:
    """The square of sum(g w): of the loss's derivative by a gate on the unit; mean over batches, as in the paper.

    The first-order change of the loss (Molchanov et al. 2019, arXiv:1906.10771, equations 8 and 9).
    """
    return evidence.statistic("batch_square")


@criterion(reads="gradients")
def fisher(evidence: Evidence) -> Scores:
    """Half the mean over the images of the squared derivative of the loss by a gate on the unit.

    Fisher information (Theis et al. 2018, arXiv:1801.05787, equation 8). It has one weight per unit, the gate, where
    `obd` adds up single weights, as if they did not go together.
    """
    return {name: squares / 2 for name, squares in evidence.statistic("square").items()}


@criterion(reads="curvature")
def obd(evidence: Evidence) -> Scores:
    """Half the sum of w² h over all weights that a unit owns: those that produce it, its norms, and those that read it.

    Optimal brain damage (LeCun et al. 1990, saliency of section 2: h u² / 2), added up over what goes with a unit, as
    "C-OBD" of Wang et al. 2019 (arXiv:1905.05934) does for filters. h is the diagonal of the empirical Fisher
    information.
    """
    return {name: total / 2 for name, total in evidence.statistic("curvature").items()}


@criterion(reads="gradients")
def snip(evidence: Evidence) -> Scores:
    """Sum of |g w| over the weights that produce a unit, where g is the gradient of the mean loss over all images.

    Connection sensitivity (SNIP; Lee et al. 2019, arXiv:1810.02340, equation 6), summed over a filter. Not divided by
    the sum over the network, which changes no order.
    """
    return evidence.statistic("connection")


@criterion(reads="removals")
def loss_change(evidence: Evidence) -> Scores:
    """Loss without the unit less that of the whole network; with its sign, so that harmful units go first.

    The exact change of INN's section 4.3 (pipeline C).
    """
    return evidence.statistic("loss_change")


@criterion(reads="removals")
def absolute_loss_change(evidence: Evidence) -> Scores:
    """The same without its sign, so that units go first that hardly change the loss in either direction.

    The "oracle-abs" of Molchanov et al. 2017 (arXiv:1611.06440, section 2.1). Units whose
    removal lowers the loss one at a time change it much when they go together.
    """
    return {name: change.abs() for name, change in evidence.statistic("loss_change").items()}
