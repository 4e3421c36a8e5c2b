"""Criteria by a unit's feature maps: statistics, zeros and ranks, over the images.

`a-b` is a spatial statistic b for each image, then an aggregate a over the images (INN, section 4.3: pipeline C). The
observations `activations` and `ranks` define where maps are taken. A unit of several channels scores their sum.
"""

from workers.criteria._base import Evidence, Scores, criterion


@criterion(reads="activations")
def mean_mean(evidence: Evidence) -> Scores:
    """Mean over the images of the map's mean; with its sign, as the paper has it."""
    return evidence.statistic("mean")


@criterion(reads="activations")
def mean_std(evidence: Evidence) -> Scores:
    """Mean over the images of the map's standard deviation."""
    return evidence.statistic("std")


@criterion(reads="activations")
def mean_l1(evidence: Evidence) -> Scores:
    """Mean over the images of the map's sum of absolute values."""
    return evidence.statistic("l1")


@criterion(reads="activations")
def mean_l2(evidence: Evidence) -> Scores:
    """Mean over the images of the map's Euclidean norm."""
    return evidence.statistic("l2")


@criterion(reads="activations")
def var_l2(evidence: Evidence) -> Scores:
    """Variance over the images of the map's Euclidean norm."""
    return evidence.statistic("l2_variance")


@criterion(reads="activations")
def mean_absolute_activation(evidence: Evidence) -> Scores:
    """Mean of |a| over all images and positions of the feature map.

    The criterion "activation" of Molchanov et al. 2017 (arXiv:1611.06440, section 2.2). Within a layer it is `mean-l1`
    divided by the number of positions; between layers of other resolutions it differs.
    """
    return evidence.statistic("absolute")


@criterion(reads="activations")
def apoz(evidence: Evidence) -> Scores:
    """Fraction of the images' positions at which the feature map is not zero.

    One less the average percentage of zeros (APoZ; Hu et al. 2016, arXiv:1607.03250, equation 1), since low scores go.
    """
    return evidence.statistic("active")


@criterion(reads="ranks")
def hrank(evidence: Evidence) -> Scores:
    """Mean over the images of the rank of the unit's feature map (Lin et al. 2020, arXiv:2002.10179, equation 4)."""
    return evidence.statistic("rank")


@criterion(reads="independence")
def chip(evidence: Evidence) -> Scores:
    """Mean over the images of what the unit's map adds to the nuclear norm of all maps of its layer.

    Channel independence (CHIP; Sui et al. 2021, arXiv:2110.13981, equation 3): a map that the others can express adds
    little.
    """
    return evidence.statistic("independence")
