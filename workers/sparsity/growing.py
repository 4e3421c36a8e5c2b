"""Growing regularisation: a penalty that rises until the units that are to go have gone (Wang et al. 2021).

"Neural Pruning via Growing Regularization", arXiv:2012.09243, section 3.2 (GReg-1). The criterion `l1` with uniform
widths removes the units that are penalised here.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from workers.channels import ChannelMap
from workers.criteria.filters import absolute_sums
from workers.sparsity.units import find_units, spread
from workers.training.regulariser import Regulariser


class GrowingRegularisation(Regulariser):
    """Adds strength x weight to the gradient of all that the chosen units own; the strength grows with the steps.

    Chosen are, in every group, the units whose filters have the smallest l1 norms before the training. After every
    `interval` steps the strength rises by `increase`, up to `ceiling`, and stays there.

    Args:
        model: The model, on the device where it trains.
        channel_map: Its channel groups.
        widths: Group name -> number of units that are not penalised; in groups that are not named, all.
        increase: What is added to the strength, above 0; None: as much as brings it to the ceiling after half of the
            training, however short that is.
        interval: Steps with one strength, at least 1.
        ceiling: The largest strength, above 0.
    """

    def __init__(
        self,
        model: nn.Module,
        channel_map: ChannelMap,
        widths: Mapping[str, int],
        *,
        increase: float | None,
        interval: int,
        ceiling: float,
    ) -> None:
        self._groups = find_units(model, channel_map)
        self._increase, self._interval, self._ceiling = increase, interval, ceiling
        self._num_steps = 0
        self._steps = torch.zeros((), dtype=torch.int64)
        norms = absolute_sums(dict(model.named_parameters()), channel_map)
        self._kept = {
            group.name: _kept(norms[group.name], widths.get(group.name, group.width)).to(group.slices[0].parameter)
            for group in self._groups
        }

    @property
    def strength(self) -> float:
        """That of the next step."""
        rises = int(self._steps) // self._interval
        increase = self._increase or self._ceiling / max(1, self._num_steps // 2 // self._interval)
        return min(increase * rises, self._ceiling)

    def before_training(self, num_steps: int) -> None:
        """Take note of the steps, which the rises are spread over unless they are given."""
        self._num_steps = num_steps

    @torch.no_grad()
    def before_step(self) -> None:
        """Add the penalty's gradient."""
        strength = self.strength
        for group in self._groups if strength else ():
            for each in group.slices:
                if each.parameter.grad is not None:
                    penalised = 1 - spread(self._kept[group.name], each)
                    each.parameter.grad.addcmul_(each.parameter, penalised, value=strength)
        self._steps += 1

    def tensors(self) -> Mapping[str, Tensor]:
        """The steps so far, and which units are not penalised: they were chosen by weights that are gone."""
        return {"steps": self._steps, **{f"kept.{name}": kept for name, kept in self._kept.items()}}


def _kept(norms: Tensor, width: int) -> Tensor:
    """1 for the units with the largest norms, 0 for the others; of equal ones the first go."""
    kept = torch.ones_like(norms)
    kept[norms.argsort(stable=True)[: len(norms) - width]] = 0
    return kept
