"""Scale of the batch norm that follows a unit (Network Slimming; Liu et al. 2017, arXiv:1708.06519, section 3)."""

import torch

from jobs.errors import BadInputError
from workers.channels import owned_slices
from workers.criteria._base import Evidence, Scores, criterion


@criterion()
def batchnorm_scale(evidence: Evidence) -> Scores:
    """Sum of |gamma| of all batch norms that a unit passes through.

    Raises:
        BadInputError: A group passes through no batch norm.
    """
    channel_map = evidence.channel_map
    scores: Scores = {}
    for owned in channel_map.owned_axes():
        statistics = f"{owned.tensor.removesuffix('weight')}running_mean"
        is_scale = owned.tensor in channel_map.parameters and statistics in channel_map.shapes
        if is_scale and len(channel_map.shapes[owned.tensor]) == 1:
            scales = owned_slices(evidence.state, owned).double().abs().sum(1)
            scores[owned.group.name] = scores.get(owned.group.name, torch.zeros_like(scales)) + scales
    without = [group.name for group in channel_map.groups if group.name not in scores]
    if without:
        raise BadInputError(
            f"batchnorm-scale: no batch norm with a scale follows {', '.join(without)}; "
            "score this network by another criterion, such as l2"
        )
    return scores
