"""Plans criterion methods: optional sparsity-inducing training, then observe, score, prune, in one round or more."""

from jobs import names
from jobs.spec.criterion import CriterionMethod, ScoreSpec
from jobs.stages.base import ArtifactKey
from jobs.stages.common import PlannedAllocation, PruningRound, Removal
from jobs.stages.pruning import ChannelPruning, PruneParams
from jobs.stages.scoring import Observed, ObserveParams, ScoreParams
from orchestrator.planning.allocation import PruneRequest, plan_widths
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.networks import add_convert_task, add_train_task
from orchestrator.planning.rounds import plan_rounds
from orchestrator.planning.sparsity import add_sparse_train_task
from orchestrator.planning.trial import Trial


def plan_criterion(
    tasks: TaskCollector, spec: CriterionMethod, allocation: PlannedAllocation, trial: Trial
) -> ArtifactKey:
    """The network without its least important channels."""
    start = (
        add_train_task(tasks, trial.model, trial.seed)
        if spec.sparsify is None
        else add_sparse_train_task(tasks, spec.sparsify, trial)
    )

    def prune(network: ArtifactKey, which: PruningRound | None) -> ArtifactKey:
        scored = (trial.method, network, trial.seed)
        how = Removal(scores=tasks.once(scored, lambda: _add_score_task(tasks, network, spec, trial)))
        request = PruneRequest(network=network, allocation=allocation, how=how, round=which)
        params = PruneParams(
            procedure=ChannelPruning(network=network, widths=plan_widths(tasks, request, trial), how=how)
        )
        return tasks.add(params, trial.label, model=trial.model)

    return plan_rounds(tasks, spec, add_convert_task(tasks, start, trial, fold=False), trial, prune)


def _add_score_task(tasks: TaskCollector, network: ArtifactKey, spec: CriterionMethod, trial: Trial) -> ArtifactKey:
    own = spec.criterion not in names.CRITERIA  # and may use randomness
    observed = None
    if spec.reads is not None:
        calibration_pass = _add_observe_task(tasks, network, spec.reads, spec, trial)
        observed = Observed(observation=spec.reads, artifact=calibration_pass)
    params = ScoreParams(
        network=network,
        criterion=spec.criterion,
        source=tasks.source_of(spec.criterion),
        observed=observed,
        seed=trial.seed if own or spec.criterion in names.CRITERIA_THAT_DRAW else None,
    )
    return tasks.add(params, trial.label, model=trial.model)


def _add_observe_task(
    tasks: TaskCollector, network: ArtifactKey, observation: str, spec: CriterionMethod, trial: Trial
) -> ArtifactKey:
    """The calibration pass, shared by all criteria with the same observation and settings."""
    problem = tasks.problem_of(trial.model)
    params = ObserveParams(
        network=network,
        observation=observation,
        source=tasks.source_of(observation),
        images=problem.images(spec.num_images),
        batch_size=(spec.score or ScoreSpec()).batch_size,
        objective=problem.objective,
        seed=trial.seed if spec.num_images else None,
    )
    return tasks.add(params, trial.label, model=trial.model, locations=problem.location)
