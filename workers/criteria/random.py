"""Channels at random: the control of every criterion."""

import torch

from workers.criteria._base import Evidence, Scores, criterion


@criterion()
def random(evidence: Evidence) -> Scores:
    """Independent uniform scores."""
    return {
        group.name: torch.rand(group.width, dtype=torch.float64, generator=evidence.generator)
        for group in evidence.channel_map.groups
    }
