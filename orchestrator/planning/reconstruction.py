"""Plans reconstruction methods: one task that prunes and refits layer by layer; in rounds, several with training."""

from jobs.spec.reconstruction import ReconstructionMethod
from jobs.stages.base import ArtifactKey
from jobs.stages.common import PlannedAllocation, PruningRound
from jobs.stages.pruning import ReconstructParams
from orchestrator.planning.allocation import PruneRequest, plan_widths
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.networks import add_convert_task, add_train_task
from orchestrator.planning.rounds import plan_rounds
from orchestrator.planning.trial import Trial


def plan_reconstruction(
    tasks: TaskCollector, spec: ReconstructionMethod, allocation: PlannedAllocation, trial: Trial
) -> ArtifactKey:
    """The network pruned with the least reconstruction error, its layers refitted."""
    problem = tasks.problem_of(trial.model)
    start = add_train_task(tasks, trial.model, trial.seed)

    def prune(network: ArtifactKey, which: PruningRound | None) -> ArtifactKey:
        request = PruneRequest(network=network, allocation=allocation, round=which)
        params = ReconstructParams(
            network=network,
            widths=plan_widths(tasks, request, trial),
            how=spec.how,
            images=problem.images(spec.images),
            batch_size=spec.batch_size,
            seed=trial.seed,
        )
        return tasks.add(params, trial.label, model=trial.model, locations=problem.location)

    return plan_rounds(tasks, spec, add_convert_task(tasks, start, trial, fold=False), trial, prune)
