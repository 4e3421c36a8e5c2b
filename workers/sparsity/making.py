"""From the settings of a regulariser to the regulariser of a model.

Knows which of them need channel groups; refuses to know what each does.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from torch import nn

from jobs.errors import BadInputError, nearest
from jobs.identity import Json
from workers.allocation import ALLOCATIONS, Question, allocate
from workers.channels import ParameterCount, find_groups, fold_batchnorm
from workers.sparsity.group_lasso import GroupLasso
from workers.sparsity.slimming import Slimming, start_scales
from workers.sparsity.soft_filter import SoftFilterPruning
from workers.sparsity.structure_selection import StructureSelection
from workers.training.regulariser import Regulariser

Maker = Callable[[Mapping[str, Json], nn.Module, Sequence[int]], Regulariser]


def make_regulariser(settings: Mapping[str, Json], model: nn.Module, input_shape: Sequence[int]) -> Regulariser:
    """The regulariser of a model that is about to be trained.

    Args:
        settings: `kind`, a name of `REGULARISERS`, and what that kind is set by.
        model: On the device where it trains; some regularisers change it, e.g. the scales that slimming starts from.
        input_shape: Shape of one sample without the batch.

    Raises:
        BadInputError: The kind is unknown, or the network has nothing that it could act on.
    """
    kind = settings["kind"]
    if kind not in REGULARISERS:
        raise BadInputError(f"regulariser '{kind}': unknown; {nearest(kind, REGULARISERS)}")
    return REGULARISERS[kind](settings, model, input_shape)


def _slimming(settings: Mapping[str, Json], model: nn.Module, input_shape: Sequence[int]) -> Regulariser:
    if settings["from_scratch"]:
        start_scales(model)
    return Slimming(model, strength=settings["strength"])


def _structure_selection(settings: Mapping[str, Json], model: nn.Module, input_shape: Sequence[int]) -> Regulariser:
    return StructureSelection(
        model,
        find_groups(model, input_shape),
        structures=settings["structures"],
        norms=dict(fold_batchnorm(model, input_shape)),
        strength=settings["strength"],
        momentum=settings["momentum"],
    )


def _soft_filter(settings: Mapping[str, Json], model: nn.Module, input_shape: Sequence[int]) -> Regulariser:
    channel_map = find_groups(model, input_shape)
    question = Question(channel_map=channel_map, target=settings["compression"], cost=ParameterCount(channel_map))
    allocation = allocate(ALLOCATIONS["uniform"], question)
    return SoftFilterPruning(model, channel_map, allocation.widths)


def _group_lasso(settings: Mapping[str, Json], model: nn.Module, input_shape: Sequence[int]) -> Regulariser:
    return GroupLasso(model, find_groups(model, input_shape), strength=settings["strength"])


REGULARISERS: Mapping[str, Maker] = MappingProxyType(
    {
        "group-lasso": _group_lasso,
        "slimming": _slimming,
        "soft-filter": _soft_filter,
        "structure-selection": _structure_selection,
    }
)
"""The regularisers that a sweep can name."""
