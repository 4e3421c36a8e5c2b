"""Ranks of the feature maps (HRank; Lin et al. 2020, arXiv:2002.10179).

A separate observation: a singular value decomposition per map costs more than all other statistics together, and the
mean rank hardly depends on the images, so that few are enough (section 3.2).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.channels import ChannelMap
from workers.observations._base import Batches, Observed, observation
from workers.observations.map_means import mean_over_maps


@observation(needs="images")
def ranks(module: nn.Module, channel_map: ChannelMap, batches: Batches) -> Observed:
    """`rank`: the mean over the images of the rank of each unit's map. See `Observation` for the arguments.

    A map of one position has rank 1, or 0 where it is zero. A unit of several channels has the sum of their ranks.
    """
    return {"rank": mean_over_maps(module, channel_map, batches, _ranks)}


def _ranks(maps: Float[Tensor, "n c *space"]) -> Float[Tensor, " c"]:
    width = maps.shape[-1] if maps.ndim > 2 else 1
    ranks_of_maps: Tensor = torch.linalg.matrix_rank(maps.reshape(*maps.shape[:2], -1, width))
    return ranks_of_maps.double().sum(0)
