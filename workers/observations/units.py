"""Sums statistics of channels to those of units, which may have several channels in several layers."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap
from workers.observations.watching import WatchPoint


def sum_per_unit(
    channel_map: ChannelMap, values: Iterable[tuple[WatchPoint, Float[Tensor, "*_lead _channels"]]]
) -> dict[str, Float[Tensor, "*_lead _units"]]:
    """From a value per channel of every point to one per unit: the sum over all channels of the unit.

    Args:
        channel_map: The network's channel groups.
        values: Point -> a value for each of its channels, on the last axis; equal axes before that.
    """
    totals: dict[str, Tensor] = {}
    for point, channels in values:
        for index in point.layout.present():
            positions = torch.from_numpy(point.layout.positions(index)).to(channels.device)
            units = channels[..., positions].sum(-1)
            name = channel_map.groups[index].name
            totals[name] = totals[name] + units if name in totals else units
    return totals
