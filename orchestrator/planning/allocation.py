"""Plans how widths are chosen: the parameters, and the `sense` and `profile` tasks that the allocation needs."""

from dataclasses import dataclass

from jobs.spec.allocation import BestScoreAllocation, OwnAllocation, PredefinedAllocation, SensitivityAllocation
from jobs.spec.prune import PruneSpec
from jobs.stages.base import ArtifactKey
from jobs.stages.common import PlannedAllocation, PruningRound, Shrinking, WidthLimits, WidthParams
from jobs.stages.scoring import ProfileParams, SenseParams
from jobs.stages.table import StageKind
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """A network to prune, and how.

    Attributes:
        network: The task whose artifact is the network with its channel groups.
        allocation: How its widths are chosen.
        how: How it is brought to given widths; None where sensitivity cannot be measured.
        round: Which round of pruning it is, where there are several.
    """

    network: ArtifactKey
    allocation: PlannedAllocation
    how: Shrinking | None = None
    round: PruningRound | None = None


def plan_widths(tasks: TaskCollector, request: PruneRequest, trial: Trial) -> WidthParams:
    """The width parameters of a request; adds the tasks that they need."""
    allocation, target = request.allocation, tasks.spec.target
    wants, solver = allocation.wants, isinstance(allocation, BestScoreAllocation)
    profiled = "latency" in wants or target == "latency"
    memory = isinstance(allocation, BestScoreAllocation) and allocation.memory is not None
    prune = tasks.spec.prune_of(trial.model, trial.method)
    if isinstance(allocation, PredefinedAllocation):  # which leaves nothing to choose
        prune = prune.model_copy(update={"multiple": None, "floor": None})
    dense = request.round.dense if request.round else request.network
    return WidthParams(
        allocation=allocation,
        compression=trial.compression,
        target=target,
        multiple=multiple_of(prune),
        limits=limits_of(prune),
        round=request.round,
        losses=_add_sense_task(tasks, request, trial) if "losses" in wants else None,
        profile=_add_profile_task(tasks, dense, trial) if profiled else None,
        memory_batch_size=tasks.spec.profile.batch_size if memory else None,
        source=tasks.source_of(allocation.choose) if isinstance(allocation, OwnAllocation) else None,
        ortools=tasks.environment.ortools_version if solver else None,
    )


def limits_of(prune: PruneSpec) -> WidthLimits | None:
    """What the sweep file says of single layers, as a parameter of tasks; None where it says nothing.

    One multiple for all layers is no part of it: `multiple_of` has that.
    """
    limits = WidthLimits(
        keep=prune.keep or None,
        only=prune.only,
        ratios=tuple(prune.ratios.items()) if prune.ratios else None,
        multiple=tuple(prune.multiple.items()) if prune.multiple and prune.common_multiple is None else None,
        floor=tuple(prune.floor.items()) if prune.floor else None,
    )
    return limits if limits != WidthLimits() else None


def multiple_of(prune: PruneSpec) -> int | None:
    """The one multiple of all layers, as a parameter of tasks; None where it says nothing."""
    return prune.common_multiple if prune.common_multiple != 1 else None


def whole_of(prune: PruneSpec) -> WidthLimits | None:
    """Only which layers stay whole; None where all may be cut."""
    return limits_of(PruneSpec(keep=prune.keep, only=prune.only))


def _add_profile_task(tasks: TaskCollector, network: ArtifactKey, trial: Trial) -> ArtifactKey:
    profile = tasks.spec.profile
    params = ProfileParams(
        network=network,
        batch_size=profile.batch_size,
        runtime=profile.runtime,
        threads=profile.threads or tasks.resources[StageKind.PROFILE].threads,
        machine=profile.machine,
        onnx=tasks.environment.onnx if profile.runtime == "onnxruntime" else None,
    )
    return tasks.add(params, trial.label, model=trial.model)


def _add_sense_task(tasks: TaskCollector, request: PruneRequest, trial: Trial) -> ArtifactKey:
    """The sensitivity measurement, shared by all compressions and targets.

    Raises:
        TypeError: Sensitivity cannot be measured for the request; validation of the sweep file should have rejected it.
    """
    problem = tasks.problem_of(trial.model)
    if request.how is None:
        raise TypeError(f"{trial.label}: no loss can be measured for its allocation {request.allocation.kind}")
    own = request.allocation
    asked = own if isinstance(own, SensitivityAllocation) else SensitivityAllocation(kind="sensitivity")
    params = SenseParams(
        network=request.network,
        how=request.how,
        fractions=asked.fractions,
        images=problem.images(asked.images),
        batch_size=asked.batch_size,
        objective=problem.objective,
        seed=trial.seed,
    )
    return tasks.add(params, trial.label, model=trial.model, locations=problem.location)
