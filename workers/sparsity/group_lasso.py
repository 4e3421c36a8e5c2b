"""Group lasso over the units of channel groups (Wen et al. 2016, arXiv:1608.03665, section 3).

The criterion `unit-norm` scores by the norm that is penalised here.
"""

from functools import partial

import torch
from torch import nn

from workers.channels import AxisLayout, ChannelMap
from workers.sparsity.units import find_units
from workers.training.regulariser import Regulariser


class GroupLasso(Regulariser):
    """Penalises strength x norm of the unit, summed over all units, by proximal steps.

    A unit has all its entries in the parameters of its group: the weights that produce it and those that read it,
    biases and norms. After every step with learning rate eta, unit w becomes max(0, 1 - eta strength / |w|) w, so that
    units come to exact zero. A weight belongs to the unit that it produces and to the one that it reads; the groups
    take their steps one after the other, in order of execution.

    Frozen parameters are neither penalised nor changed. Only after the training, units are zeroed in these, too, that
    it has left with nothing that makes them or nothing that reads them.

    Args:
        model: The model, on the device where it trains.
        channel_map: Its channel groups.
        strength: Weight of the penalty, above 0.
    """

    def __init__(self, model: nn.Module, channel_map: ChannelMap, *, strength: float) -> None:
        units, self._strength = find_units(model, channel_map), strength
        self._groups = [trained for group in units if (trained := group.trained).slices]
        self._partly_frozen = [group for group in units if 0 < len(group.trained.slices) < len(group.slices)]
        self._ends = [find_units(model, channel_map, partial(_has_role, role)) for role in ("output", "input")]

    def after_step(self, learning_rate: float) -> None:
        """Shrink every unit."""
        for group in self._groups:
            norms = group.norms().clamp_min(torch.finfo(torch.float32).tiny)
            group.scale((1 - learning_rate * self._strength / norms).clamp_min(0))

    def after_training(self) -> None:
        """Zero the frozen entries of units that came to zero."""
        for group in self._partly_frozen:
            ends = [end.norms() for units in self._ends for end in units if end.name == group.name]
            group.scale(torch.stack(ends).amin(0).sign())


def _has_role(role: str, name: str, layout: AxisLayout) -> bool:
    return layout.role == role
