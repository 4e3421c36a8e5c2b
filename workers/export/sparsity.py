"""What single removed weights leave behind: exact zeros, and perhaps a pattern that hardware can skip."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor

_GROUP, _MOST = 4, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparsity:
    """How sparse a parameter is.

    Attributes:
        zeros: Fraction of its weights that are zero.
        two_of_four: Whether at most two of any four weights in a row are other than zero (2:4), which the sparse
            kernels of GPUs can use.
    """

    zeros: float
    two_of_four: bool


def sparsity_of(state: Mapping[str, Tensor], masks: Collection[str]) -> dict[str, Sparsity]:
    """The sparsity of every parameter that lost single weights.

    Args:
        state: Tensors with exact zeros for removed weights.
        masks: Names of these parameters.
    """
    return {
        name: Sparsity(zeros=float((tensor == 0).double().mean()), two_of_four=is_two_of_four(tensor))
        for name, tensor in state.items()
        if name in masks
    }


def is_two_of_four(weight: Tensor) -> bool:
    """Whether at most 2 of every 4 neighbours along the input axis are other than zero.

    Groups of four start at a multiple of four. An axis that is no multiple of four long has no such pattern.

    Args:
        weight: Of a linear layer or a convolution: outputs, inputs, and the kernel's axes.
    """
    if weight.ndim < 2 or weight.shape[1] % _GROUP:
        return False
    rows = weight.movedim(1, -1).reshape(-1, _GROUP)
    return bool(((rows != 0).sum(1) <= _MOST).all())
