"""Makes the regulariser of a sparse training from its settings and the channel groups of the network."""

from collections.abc import Sequence

from torch import nn

from jobs.spec.sparsity import (
    GroupLassoSpec,
    GrowingSpec,
    SlimmingSpec,
    SoftFilterSpec,
    SparsifySpec,
    StructureSelectionSpec,
)
from jobs.stages.common import CountedTarget, WidthLimits
from workers.allocation import ALLOCATIONS, AllocationProblem, Bounds, allocate
from workers.channels import ChannelMap, MacCount, ParameterCount, fold_batchnorm
from workers.inputs import InputsLike
from workers.sparsity.group_lasso import GroupLasso
from workers.sparsity.growing import GrowingRegularisation
from workers.sparsity.slimming import GroupSlimming, Slimming, start_scales
from workers.sparsity.soft_filter import SoftFilterPruning
from workers.sparsity.structure_selection import StructureSelection
from workers.training.regulariser import Regulariser


def make_regulariser(
    spec: SparsifySpec,
    model: nn.Module,
    channel_map: ChannelMap,
    inputs: InputsLike,
    *,
    compression: float = 0.0,
    target: CountedTarget = "parameters",
    limits: WidthLimits | None = None,
    multiple: int = 1,
    parts: Sequence[str] = (),
) -> Regulariser:
    """The regulariser of a model that is about to be trained.

    Args:
        spec: Settings of the regulariser.
        model: On the device where it trains; some regularisers change it, e.g. the scales that slimming starts from.
        channel_map: Its channel groups.
        inputs: What it takes.
        compression: Target compression, where the regulariser depends on it.
        target: The cost that it is a fraction of, likewise.
        limits: Of single layers, likewise.
        multiple: Of which all widths are, or full, likewise.
        parts: The parts whose channels may go, of a network that cannot be traced whole.

    Raises:
        BadInputError: The network has nothing that the regulariser could act on.
    """

    def widths() -> dict[str, int]:
        """Group name -> units that stay, the same fraction of every group."""
        cost = MacCount(channel_map) if target == "macs" else ParameterCount(channel_map)
        problem = AllocationProblem(channel_map=channel_map, target=compression, cost=cost)
        bounds = Bounds(limits=limits) if limits is not None else None
        return dict(allocate(ALLOCATIONS["uniform"], problem, multiple=multiple, bounds=bounds).widths)

    match spec:
        case SlimmingSpec():
            if spec.start == "scratch":
                start_scales(model)
            if spec.penalty == "group-lasso":
                return GroupSlimming(model, channel_map, strength=spec.strength)
            return Slimming(model, strength=spec.strength)
        case StructureSelectionSpec():
            return StructureSelection(
                model,
                channel_map,
                structures=spec.structures,
                norms=dict(fold_batchnorm(model, inputs, parts)),
                strength=spec.strength,
                momentum=spec.momentum,
            )
        case SoftFilterSpec():
            return SoftFilterPruning(model, channel_map, widths())
        case GrowingSpec():
            return GrowingRegularisation(
                model,
                channel_map,
                widths(),
                increase=spec.increase,
                interval=spec.interval,
                ceiling=spec.ceiling,
            )
        case GroupLassoSpec():
            return GroupLasso(model, channel_map, strength=spec.strength)
