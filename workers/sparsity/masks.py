"""Masks over single weights: which of them a network has, and a training that leaves the others at zero.

Knows tensors by name; refuses to know how the masks were chosen (`magnitude`) and where they are kept.
"""

from collections.abc import Mapping
from typing import TypeAlias

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.training.regulariser import Regulariser

Masks: TypeAlias = Mapping[str, Bool[Tensor, "*_shape"]]
"""Name of a parameter -> True where the weight is there, of the parameter's shape."""


def masked(state: Mapping[str, Tensor], masks: Masks) -> dict[str, Tensor]:
    """A state with exact zeros where the masks have no weight; all else is handed on as it is.

    Args:
        state: A `state_dict`.
        masks: For some of its tensors.

    Raises:
        BadInputError: A mask is of no tensor of the state, or of another shape.
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
    """Trains only the weights that are there.

    What is masked starts at zero and gets no gradient. So momentum and weight decay have nothing to act on, and it
    stays exactly zero.

    Args:
        model: On the device where it trains; what is masked is set to zero.
        masks: For some of its parameters.

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
        """Take away the gradient of what is masked."""
        for parameter, absent in self._absent:
            if parameter.grad is not None:
                parameter.grad.masked_fill_(absent, 0)
