"""Distance to the other filters: who is near all others can be replaced by them (He et al. 2019, arXiv:1811.00250)."""

import torch

from workers.criteria._base import Evidence, Scores, criterion
from workers.criteria.filters import filters


@criterion()
def fpgm(evidence: Evidence) -> Scores:
    """Sum of the Euclidean distances from a unit's filter to those of its group; least at the geometric median.

    Equations 4 to 6 of the paper.
    """
    return {
        name: torch.cdist(rows, rows).sum(1) for name, rows in filters(evidence.state, evidence.channel_map).items()
    }
