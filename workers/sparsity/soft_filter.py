"""Soft filter pruning: zeroed filters keep training (He et al. 2018, arXiv:1808.06866, algorithm 1)."""

from collections.abc import Mapping

import torch
from torch import nn

from workers.channels import AxisLayout, ChannelMap
from workers.sparsity.units import find_units
from workers.training.regulariser import Regulariser


class SoftFilterPruning(Regulariser):
    """Zeroes the filters of the units with the lowest l2 norms after each epoch; their norms and biases stay.

    A filter is what produces a unit in all layers of its group. As the batch norm after it keeps its scale, a zeroed
    filter gets gradients and can recover. After the last epoch exactly the units to be removed have zero filters.

    Args:
        model: The model, on the device where it trains.
        channel_map: Its channel groups.
        widths: Group name -> number of units that keep their filters; groups that are not named keep all.
    """

    def __init__(self, model: nn.Module, channel_map: ChannelMap, widths: Mapping[str, int]) -> None:
        self._groups = find_units(model, channel_map, lambda name, layout: _is_filter(channel_map, name, layout))
        self._widths = widths

    def after_epoch(self) -> None:
        """Zero the lowest; filters that are zero already are the lowest, so that a repeated call changes nothing."""
        for group in self._groups:
            kept = self._widths.get(group.name, group.width)
            norms = group.norms()
            factors = torch.ones_like(norms)
            factors[norms.argsort(stable=True)[: group.width - kept]] = 0
            group.scale(factors)


def _is_filter(channel_map: ChannelMap, name: str, layout: AxisLayout) -> bool:
    return layout.role == "output" and len(channel_map.tensors[name]) >= 2
