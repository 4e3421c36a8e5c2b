"""Soft filter pruning: zeroed filters keep training (He et al. 2018, arXiv:1808.06866, algorithm 1)."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.channels import AxisLayout, ChannelMap
from workers.sparsity.units import GroupUnits, find_units
from workers.training.regulariser import Regulariser


class SoftFilterPruning(Regulariser):
    """Zeroes the filters of the units with the lowest l2 norms after each epoch; their norms and biases stay.

    A filter is what produces a unit in all layers of its group. As the batch norm after it keeps its scale, a zeroed
    filter gets gradients and can recover. What of it is frozen cannot, and is zeroed after the training only. Then
    exactly the units to be removed have zero filters.

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
            group.trained.scale(self._present(group))

    def after_training(self) -> None:
        """Zero what is frozen of those that were zeroed after the last epoch; they are the lowest still."""
        for group in self._groups:
            group.scale(self._present(group))

    def _present(self, group: GroupUnits) -> Float[Tensor, " width"]:
        """0 for the units with the lowest norms, 1 for the others."""
        norms = group.norms()
        present = torch.ones_like(norms)
        present[norms.argsort(stable=True)[: group.width - self._widths.get(group.name, group.width)]] = 0
        return present


def _is_filter(channel_map: ChannelMap, name: str, layout: AxisLayout) -> bool:
    return layout.role == "output" and len(channel_map.tensors[name]) >= 2
