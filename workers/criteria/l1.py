"""Norm of the filters: sum of |W| (Rethinking, section 4.1; Li et al. 2017, arXiv:1608.08710, section 3.1)."""

import torch

from workers.criteria._base import Evidence, Scores, criterion
from workers.criteria.filters import filter_blocks


@criterion()
def l1(evidence: Evidence) -> Scores:
    """Sum of the absolute weights that produce a unit, over all layers of its group."""
    scores = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in evidence.channel_map.groups}
    for name, blocks in filter_blocks(evidence.state, evidence.channel_map).items():
        for rows in blocks:
            scores[name] += rows.abs().sum(1)
    return scores
