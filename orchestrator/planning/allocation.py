"""What a task that chooses widths is told, with the tasks that its allocation looks at added."""

from dataclasses import dataclass

from jobs.spec.allocation import BestScoreAllocation, OwnAllocation, SensitivityAllocation
from jobs.stages.base import ArtifactKey
from jobs.stages.common import PlannedAllocation, Shrinking, WidthParams
from jobs.stages.scoring import ProfileParams, SenseParams
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """What is to be made smaller, and how.

    Attributes:
        network: The task that leaves the network with its channel groups.
        allocation: How its widths are chosen.
        how: How it is made smaller at given widths; None where no loss can be measured with one group cut.
    """

    network: ArtifactKey
    allocation: PlannedAllocation
    how: Shrinking | None = None


def plan_widths(tasks: TaskCollector, request: PruneRequest, trial: Trial) -> WidthParams:
    """What the task is told that chooses the widths of a request."""
    allocation, target = request.allocation, tasks.spec.target
    wants, solver = allocation.wants, isinstance(allocation, BestScoreAllocation)
    profiled = "latency" in wants or target == "latency"
    memory = isinstance(allocation, BestScoreAllocation) and allocation.memory is not None
    return WidthParams(
        allocation=allocation,
        compression=trial.compression,
        target=target,
        losses=_add_sense_task(tasks, request, trial) if "losses" in wants else None,
        profile=_add_profile_task(tasks, request.network, trial) if profiled else None,
        memory_batch_size=tasks.spec.profile.batch_size if memory else None,
        source=tasks.source_of(allocation.choose) if isinstance(allocation, OwnAllocation) else None,
        ortools=tasks.environment.ortools_version if solver else None,
    )


def _add_profile_task(tasks: TaskCollector, network: ArtifactKey, trial: Trial) -> ArtifactKey:
    params = ProfileParams(network=network, batch_size=tasks.spec.profile.batch_size)
    return tasks.add(params, trial.label, model=trial.model)


def _add_sense_task(tasks: TaskCollector, request: PruneRequest, trial: Trial) -> ArtifactKey:
    """The losses that every compression and target shares.

    Raises:
        TypeError: The request cannot be measured; the sweep file's checks should have refused it.
    """
    if request.how is None:
        raise TypeError(f"{trial.label}: no loss can be measured for its allocation {request.allocation.kind}")
    own = request.allocation
    asked = own if isinstance(own, SensitivityAllocation) else SensitivityAllocation(kind="sensitivity")
    params = SenseParams(
        network=request.network,
        how=request.how,
        fractions=asked.fractions,
        images=tasks.images(asked.images),
        batch_size=asked.batch_size,
        objective=tasks.objective,
        seed=trial.seed,
    )
    return tasks.add(params, trial.label, model=trial.model, locations=tasks.data_location)
