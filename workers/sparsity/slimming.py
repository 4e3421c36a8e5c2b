"""Network Slimming: an l1 penalty on the scales of batch norms (Liu et al. 2017, arXiv:1708.06519, section 3).

The criterion `batchnorm-scale` with one global threshold selects channels by these scales.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from jobs.errors import BadInputError
from workers.training.regulariser import Regulariser

INITIAL_SCALE = 0.5
"""Initial scales of a training from scratch (section 4 of the paper)."""


class Slimming(Regulariser):
    """Adds strength x sign(scale) to the gradient of every batch norm's scale: subgradient descent on the penalty.

    The scales come near zero, but not to exact zero. Pre-activation networks need no special treatment.

    Args:
        model: All its batch norms with a trainable scale are penalised.
        strength: Weight of the penalty, above 0; 1e-4 for VGG and 1e-5 for DenseNet and ResNet in the paper.

    Raises:
        BadInputError: There is no such batch norm.
    """

    def __init__(self, model: nn.Module, *, strength: float) -> None:
        self._scales = batchnorm_scales(model)
        self._strength = strength

    def before_step(self) -> None:
        """Add the penalty's subgradient."""
        for scale in self._scales:
            if scale.grad is not None:
                scale.grad.add_(scale.detach().sign(), alpha=self._strength)


def batchnorm_scales(model: nn.Module) -> Sequence[Tensor]:
    """The trainable scales of all batch norms, in the order of the model's modules.

    Raises:
        BadInputError: There are none.
    """
    scales = [
        norm.weight
        for norm in model.modules()
        if isinstance(norm, _BatchNorm) and norm.affine and norm.weight.requires_grad
    ]
    if not scales:
        raise BadInputError("slimming: the network has no batch norm with a trainable scale; choose another `sparsify`")
    return scales


def start_scales(model: nn.Module) -> None:
    """Set all scales to `INITIAL_SCALE`, in place.

    Raises:
        BadInputError: There are none.
    """
    with torch.no_grad():
        for scale in batchnorm_scales(model):
            scale.fill_(INITIAL_SCALE)
