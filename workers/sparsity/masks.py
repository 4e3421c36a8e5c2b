"""Masks over single weights, and training that keeps masked weights at zero. `magnitude` chooses masks."""

from collections.abc import Mapping
from typing import TypeAlias

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.training.regulariser import Regulariser

Masks: TypeAlias = Mapping[str, Bool[Tensor, "*_shape"]]
"""Name of a parameter -> True for weights that are kept, of the parameter's shape."""


def masked(state: Mapping[str, Tensor], masks: Masks) -> dict[str, Tensor]:
    """A state with exact zeros for masked weights; everything else is unchanged.

    Args:
        state: A `state_dict`.
        masks: Masks of some of its tensors.

    Raises:
        BadInputError: A mask is of an unknown tensor, or of another shape.
    """
    for name, mask in masks.items():
        found = tuple(state[name].shape) if name in state else "no such tensor"
        if found != tuple(mask.shape):
            raise BadInputError(f"mask of {name}: shape {tuple(mask.shape)}; the network has {found}")
    return {
        name: tensor.masked_fill(~masks[name].to(tensor.device), 0) if name in masks else tensor
        for name, tensor in state.items()
    }


class KeepMasked(Regulariser):
    """Trains only the weights that are kept.

    Masked weights start at zero and get no gradient, so that no momentum gathers. An optimizer may move them all the
    same, as Muon does, whose step is made of the whole matrix; so they are exactly zero again after every step.

    Args:
        model: The model, on the device where it trains; masked weights are set to zero.
        masks: Masks of some of its parameters.

    Raises:
        BadInputError: A mask does not fit.
    """

    def __init__(self, model: nn.Module, masks: Masks) -> None:
        parameters = dict(model.named_parameters())
        zeroed = masked(parameters, masks)
        self._absent = [(parameters[name], ~mask.to(parameters[name].device)) for name, mask in masks.items()]
        with torch.no_grad():
            for name in masks:
                parameters[name].copy_(zeroed[name])

    def before_step(self) -> None:
        """Zero the gradient of masked weights."""
        for parameter, absent in self._absent:
            if parameter.grad is not None:
                parameter.grad.masked_fill_(absent, 0)

    @torch.no_grad()
    def after_step(self, learning_rate: float) -> None:
        """Zero what the optimizer moved."""
        for parameter, absent in self._absent:
            parameter.masked_fill_(absent, 0)
