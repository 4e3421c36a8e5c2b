"""Plans folding: the channels of every group are clustered and averaged, in one task."""

from dataclasses import replace

from jobs import names
from jobs.spec.fold import FoldMethod
from jobs.stages.base import ArtifactKey
from jobs.stages.common import Folding, PlannedAllocation
from jobs.stages.pruning import ChannelPruning, PruneParams
from orchestrator.planning.allocation import PruneRequest, plan_widths
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.networks import add_convert_task, add_train_task
from orchestrator.planning.trial import Trial


def plan_fold(tasks: TaskCollector, spec: FoldMethod, allocation: PlannedAllocation, trial: Trial) -> ArtifactKey:
    """The network whose alike channels are one."""
    start = add_train_task(tasks, trial.model, trial.seed)
    network = add_convert_task(tasks, start, trial, fold=not spec.keeps_batchnorm)
    how = Folding(
        clustering=spec.clustering,
        slices=spec.slices,
        repair="variance" if spec.repair == "approximate" else None,
    )
    widths = plan_widths(tasks, PruneRequest(network=network, allocation=allocation, how=how), trial)
    folding = ChannelPruning(network=network, widths=widths, how=how)
    seed = trial.seed if spec.clustering in names.CLUSTERINGS_THAT_DRAW else None
    if spec.repair != "data":
        return tasks.add(PruneParams(procedure=folding, seed=seed), trial.label, model=trial.model)
    problem = tasks.problem_of(trial.model)
    matched = replace(folding, images=problem.images(spec.repair_images))
    params = PruneParams(procedure=matched, seed=trial.seed)
    return tasks.add(params, trial.label, model=trial.model, locations=problem.location)
