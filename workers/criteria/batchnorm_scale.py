"""Scale of the batch norm behind a unit (Network Slimming; Liu et al. 2017, arXiv:1708.06519, section 3)."""

import torch

from jobs.errors import BadInputError
from workers.channels import unit_slices
from workers.criteria._base import Evidence, Scores, criterion


@criterion()
def batchnorm_scale(evidence: Evidence) -> Scores:
    """Sum of |gamma| of all batch norms that a unit passes through.

    Raises:
        BadInputError: A group passes through no batch norm.
    """
    channel_map = evidence.channel_map
    scores: Scores = {}
    for name, layouts in channel_map.tensors.items():
        statistics = f"{name.removesuffix('weight')}running_mean"
        if name not in channel_map.parameters or len(layouts) != 1 or statistics not in channel_map.shapes:
            continue
        for index in layouts[0].present():
            group = channel_map.groups[index]
            scales = unit_slices(evidence.state[name], layouts, 0, index).double().abs().sum(1)
            scores[group.name] = scores.get(group.name, torch.zeros_like(scales)) + scales
    without = [group.name for group in channel_map.groups if group.name not in scores]
    if without:
        raise BadInputError(
            f"batchnorm-scale: no batch norm with a scale follows {', '.join(without)}; "
            "score this network by another criterion, such as l2"
        )
    return scores
