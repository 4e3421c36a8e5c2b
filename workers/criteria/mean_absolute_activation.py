"""Mean absolute activation (Molchanov et al. 2017, arXiv:1611.06440, section 2.2: criterion "activation")."""

from workers.criteria._base import Evidence, Scores, criterion


@criterion(reads="activations")
def mean_absolute_activation(evidence: Evidence) -> Scores:
    """Mean of |a| over all images and positions of the feature map.

    Within a layer it is `mean-l1` divided by the number of positions; between layers of other resolutions it differs.
    """
    return evidence.statistic("absolute")
