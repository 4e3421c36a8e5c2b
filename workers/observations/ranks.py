"""Ranks of the feature maps (HRank; Lin et al. 2020, arXiv:2002.10179).

A separate observation: a singular value decomposition per map costs more than all other statistics together, and the
mean rank hardly depends on the images, so that few are enough (section 3.2).
"""

import torch
from torch import Tensor, nn

from workers.channels import ChannelMap
from workers.inputs import call
from workers.observations._base import Batches, Observed, observation
from workers.observations.units import sum_per_unit
from workers.observations.watching import WatchPoint, find_points, watching


@observation(needs="images")
def ranks(module: nn.Module, channel_map: ChannelMap, batches: Batches) -> Observed:
    """`rank`: the mean over the images of the rank of each unit's map. See `Observation` for the arguments.

    A map of one position has rank 1, or 0 where it is zero. A unit of several channels has the sum of their ranks.
    Where a detector looks at boxes, the boxes count as images.
    """
    points = find_points(module, channel_map, batches.example)
    sums: dict[WatchPoint, Tensor] = {}
    counts: dict[WatchPoint, int] = {}

    def add(point: WatchPoint, maps: Tensor) -> Tensor:
        width = maps.shape[-1] if maps.ndim > 2 else 1
        batch = torch.linalg.matrix_rank(maps.reshape(*maps.shape[:2], -1, width)).double().sum(0)
        sums[point] = sums[point] + batch if point in sums else batch
        counts[point] = counts.get(point, 0) + len(maps)
        return maps

    with torch.inference_mode():
        for inputs, _ in batches:
            with watching(points, add):
                call(module, inputs)
        units = sum_per_unit(channel_map, [(point, total.cpu() / counts[point]) for point, total in sums.items()])
    return {"rank": {name: values.clone() for name, values in units.items()}}
