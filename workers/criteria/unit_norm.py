"""Norm of everything that a unit owns: what a group lasso penalises (Wen et al. 2016, arXiv:1608.03665, section 3)."""

import torch

from workers.channels import unit_slices
from workers.criteria._base import Evidence, Scores, criterion


@criterion()
def unit_norm(evidence: Evidence) -> Scores:
    """Euclidean norm of a unit's slices in all parameters of its group: those that make it and those that read it.

    It is zero for units and blocks that training brought to zero.
    """
    channel_map = evidence.channel_map
    squares: Scores = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in channel_map.groups}
    for name in sorted(channel_map.tensors.keys() & channel_map.parameters):
        layouts = channel_map.tensors[name]
        for axis, layout in enumerate(layouts):
            for index in layout.present():
                rows = unit_slices(evidence.state[name], layouts, axis, index).double()
                squares[channel_map.groups[index].name] += rows.square().sum(1)
    return {name: each.sqrt() for name, each in squares.items()}
