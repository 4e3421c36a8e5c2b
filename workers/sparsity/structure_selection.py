"""Sparse Structure Selection: scales of structures, driven to zero (Huang and Wang 2018, arXiv:1707.01213, section 3).

A structure is a unit of a channel group (a channel, or a whole group of a grouped convolution) or a residual block.
This module places the scales, updates them and folds them into the weights.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from jobs.errors import BadInputError
from workers.channels import ChannelMap
from workers.sparsity.branches import residual_branches
from workers.sparsity.units import find_units, spread
from workers.training.regulariser import Regulariser

Structures = Literal["channels", "blocks"]

_Placed = tuple[dict[str, Tensor], dict[str, list[str]]]
"""Structure -> its scales, and -> the groups whose units go with them."""


class StructureSelection(Regulariser):
    """An l1 penalty on scales, minimised by accelerated proximal gradient (section 3 of the paper).

    The scale of a channel multiplies the weights that read it, so it acts on the channel after norm and activation. The
    scale of a block multiplies the output of its residual branch. All are 1 initially. They are no parameters of the
    model: the optimizer and its weight decay do not change them.

    `after_training` folds the scales into the weights and zeroes all entries of structures at zero (of a block: those
    of the channels inside it), which does not change the network's function.

    Args:
        model: The model, on the device where it trains; its weights are parametrised until `after_training`.
        channel_map: Its channel groups.
        structures: The structures that have a scale.
        norms: Layer -> the batch norm that alone reads it, where there is one (`channels.fold_batchnorm`).
        strength: Weight of the penalty, above 0.
        momentum: Momentum of the scales, in [0, 1).

    Raises:
        BadInputError: The network has no such structure.
    """

    def __init__(
        self,
        model: nn.Module,
        channel_map: ChannelMap,
        *,
        structures: Structures,
        norms: Mapping[str, str],
        strength: float,
        momentum: float = 0.9,
    ) -> None:
        self._model, self._channel_map = model, channel_map
        self._strength, self._momentum = strength, momentum
        self.scales, self._emptied = self._scale_channels() if structures == "channels" else self._scale_blocks(norms)
        if not self.scales:
            raise BadInputError(f"structure-selection: the network has no {structures} that could have a scale")
        self._velocities = {name: torch.zeros_like(scale) for name, scale in self.scales.items()}

    @torch.no_grad()
    def after_step(self, learning_rate: float) -> None:
        """Update the scales."""
        for name, scale in self.scales.items():
            velocity = self._velocities[name]
            moved = scale if scale.grad is None else scale - learning_rate * scale.grad
            shrunk = moved.sign() * (moved.abs() - learning_rate * self._strength).clamp_min(0)
            velocity.mul_(self._momentum).add_(shrunk - scale)
            scale.copy_(shrunk + self._momentum * velocity)
            scale.grad = None

    def learnt(self) -> Mapping[str, Tensor]:
        """The scales."""
        return {f"scale of {name}": scale for name, scale in self.scales.items()}

    def tensors(self) -> Mapping[str, Tensor]:
        """The scales and their velocities."""
        return {
            **{f"scale.{name}": scale.detach() for name, scale in self.scales.items()},
            **{f"velocity.{name}": velocity for name, velocity in self._velocities.items()},
        }

    @torch.no_grad()
    def after_training(self) -> None:
        """Fold the scales into the weights."""
        for module in list(self._model.modules()):
            for name in list(getattr(module, "parametrizations", {})):
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
        units = {group.name: group for group in find_units(self._model, self._channel_map)}
        for name, scale in self.scales.items():
            present = (scale != 0).to(scale.dtype)
            for group in self._emptied[name]:
                units[group].scale(present.expand(units[group].width))

    def _scale_channels(self) -> _Placed:
        """A scale per unit, on every axis that reads it. Units that a norm takes statistics over cannot have one."""
        normalised = {group.name for group in self._channel_map.groups if group.normalised}
        scales: dict[str, Tensor] = {}
        for group in find_units(self._model, self._channel_map, lambda name, layout: layout.role == "input"):
            if group.name in normalised:
                continue
            scale = group.slices[0].parameter.new_ones(group.width).requires_grad_()
            for each in group.slices:
                _parametrise(self._model, each.name, partial(spread, scale, each))
            scales[group.name] = scale
        return scales, {name: [name] for name in scales}

    def _scale_blocks(self, norms: Mapping[str, str]) -> _Placed:
        """A scale per block, on its last layer or on the norm after that. Behind a norm without weights it has none."""
        parameters = dict(self._model.named_parameters())
        scales: dict[str, Tensor] = {}
        emptied: dict[str, list[str]] = {}
        for branch in residual_branches(self._channel_map):
            last = norms.get(branch.end, branch.end)
            if f"{last}.weight" not in parameters:
                continue
            names = [name for name in (f"{last}.weight", f"{last}.bias") if name in parameters]
            scale = parameters[names[0]].new_ones(1).requires_grad_()
            for name in names:
                _parametrise(self._model, name, partial(_same, scale))
            scales[branch.end] = scale
            emptied[branch.end] = [self._channel_map.groups[index].name for index in branch.inner]
        return scales, emptied


class _Times(nn.Module):
    """Multiplies a tensor by the result of a function."""

    def __init__(self, factor: Callable[[], Tensor]) -> None:
        super().__init__()
        self._factor = factor

    def forward(self, tensor: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return tensor * self._factor()


def _same(scale: Tensor) -> Tensor:
    return scale


def _parametrise(model: nn.Module, parameter: str, factor: Callable[[], Tensor]) -> None:
    path, _, name = parameter.rpartition(".")
    parametrize.register_parametrization(model.get_submodule(path), name, _Times(factor))
