"""Statistics of a unit's feature map over the data set (INN, section 4.3: pipeline C).

`a-b`: a spatial statistic b for each image, then an aggregate a over the images. All come from one pass over the data,
the observation `activations`, which says where maps are seen. A unit of several channels is worth their sum.
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
