"""Means over the images of a statistic of feature maps, for observations that look at one layer at a time."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.channels import ChannelMap
from workers.inputs import call
from workers.observations._base import Batches
from workers.observations.units import sum_per_unit
from workers.observations.watching import WatchPoint, find_points, watching


def mean_over_maps(
    module: nn.Module,
    channel_map: ChannelMap,
    batches: Batches,
    statistic: Callable[[Float[Tensor, "n c *space"]], Float[Tensor, " c"]],
) -> dict[str, Float[Tensor, " _units"]]:
    """Group name -> mean over the images of a statistic of each unit's map, in double precision on the CPU.

    A unit of several channels, or of several layers, has the sum of theirs. Where a detector looks at boxes, the boxes
    count as images.

    Args:
        module: In evaluation mode; not changed.
        channel_map: Its channel groups.
        batches: The images.
        statistic: From the maps of a batch to a sum over its images, in double precision, for every channel.
    """
    points = find_points(module, channel_map, batches.example)
    sums: dict[WatchPoint, Tensor] = {}
    counts: dict[WatchPoint, int] = {}

    def add(point: WatchPoint, maps: Tensor) -> Tensor:
        batch = statistic(maps)
        sums[point] = sums[point] + batch if point in sums else batch
        counts[point] = counts.get(point, 0) + len(maps)
        return maps

    with torch.inference_mode():
        for inputs, _ in batches:
            with watching(points, add):
                call(module, inputs)
        units = sum_per_unit(channel_map, [(point, total.cpu() / counts[point]) for point, total in sums.items()])
    return {name: values.clone() for name, values in units.items()}
