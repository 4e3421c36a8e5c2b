"""Exact change of the loss when a unit is removed (INN, section 4.3: pipeline C)."""

from workers.criteria._base import Evidence, Scores, criterion


@criterion(reads="removals")
def loss_change(evidence: Evidence) -> Scores:
    """Loss without the unit less that of the whole network; with its sign, so that harmful units go first."""
    return evidence.statistic("loss_change")
