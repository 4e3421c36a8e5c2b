"""Network Slimming: a penalty on the scales of batch norms (Liu et al. 2017, arXiv:1708.06519, section 3).

The paper's is the l1 norm of all scales. `GroupSlimming` takes the scales of a unit together: where units pass through
several norms, as those of a residual stream do, single scales at zero remove nothing. The criterion `batchnorm-scale`
with one global threshold selects channels by these scales.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from jobs.errors import BadInputError
from workers.channels import ChannelMap
from workers.sparsity.units import find_units
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


class GroupSlimming(Regulariser):
    """A group lasso on the scales of each unit: strength x root of their number x their norm, by proximal steps.

    The penalty is that of Yuan and Lin 2006 (section 2) with a group for all scales that a unit passes through. After
    every step with learning rate eta the scales g of a unit become max(0, 1 - eta strength sqrt(n) / |g|) g, so that
    units come to exact zero in all norms at once.

    Args:
        model: The model, on the device where it trains.
        channel_map: Its channel groups; units without a batch norm are left as they are.
        strength: Weight of the penalty, above 0.

    Raises:
        BadInputError: There is no batch norm with a trainable scale.
    """

    def __init__(self, model: nn.Module, channel_map: ChannelMap, *, strength: float) -> None:
        scales = set(map(id, batchnorm_scales(model)))
        parameters = dict(model.named_parameters())
        self._groups = find_units(model, channel_map, lambda name, layout: id(parameters[name]) in scales)
        self._strength = strength

    def after_step(self, learning_rate: float) -> None:
        """Shrink the scales of every unit."""
        for group in self._groups:
            norms = group.norms().clamp_min(torch.finfo(torch.float32).tiny)
            group.scale((1 - learning_rate * self._strength * group.sizes().sqrt() / norms).clamp_min(0))


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
