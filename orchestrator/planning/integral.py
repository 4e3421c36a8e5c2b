"""Plans integral methods: permute, optionally train at all sizes, optionally tune, resample."""

from dataclasses import replace

from jobs import names
from jobs.spec.effort import EFFORTS
from jobs.spec.integral import IntegralMethod, IntegralTrainSpec, OrderingSpec
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey
from jobs.stages.channels import ChooseParams, OrderingParams, PermuteParams
from jobs.stages.common import CLASSIFICATION, PlannedAllocation, Resampling
from jobs.stages.pruning import ChannelPruning, PruneParams, TuneParams
from jobs.stages.training import IntegralTraining, TrainParams
from orchestrator.planning.allocation import PruneRequest, plan_widths, whole_of
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.networks import add_convert_task, add_train_task, add_untrained_task, teacher_of
from orchestrator.planning.trial import Trial


def plan_integral(
    tasks: TaskCollector, spec: IntegralMethod, allocation: PlannedAllocation, trial: Trial
) -> ArtifactKey:
    """The integral network, resampled to the target size."""
    problem = tasks.problem_of(trial.model)
    sampling = Resampling(partition=spec.partition, quadrature=spec.quadrature)
    how = replace(sampling, repair="variance") if spec.repair == "variance" else sampling
    asked = (trial.method, trial.model, trial.seed)
    network = tasks.once(asked, lambda: _add_integral_network(tasks, spec, trial))
    request = PruneRequest(network=network, allocation=allocation, how=how)
    if spec.ordering.choice != "shortest":
        chosen = _add_choose_task(tasks, spec, request, trial)
        request = PruneRequest(network=chosen, allocation=allocation, how=how)
    widths = plan_widths(tasks, request, trial)
    tuned = None
    if spec.tune:
        tuning = TuneParams(
            network=request.network,
            widths=widths,
            how=how,
            tune=spec.tune,
            data=problem.data,
            objective=problem.objective,
            seed=trial.seed,
        )
        tuned = tasks.add(tuning, trial.label, model=trial.model, locations=problem.location)
    pruning = ChannelPruning(network=request.network, widths=widths, how=how, tuned=tuned)
    if spec.repair != "statistics":
        return tasks.add(PruneParams(procedure=pruning), trial.label, model=trial.model)
    matched = replace(pruning, images=problem.images(spec.repair_images))
    params = PruneParams(procedure=matched, seed=trial.seed)
    return tasks.add(params, trial.label, model=trial.model, locations=problem.location)


def _add_integral_network(tasks: TaskCollector, spec: IntegralMethod, trial: Trial) -> ArtifactKey:
    """The integral network: channels permuted into their order, and trained at all sizes if the method does so."""
    scratch = spec.train is not None and spec.train.start == "scratch"
    start = (add_untrained_task if scratch else add_train_task)(tasks, trial.model, trial.seed)
    converted = add_convert_task(tasks, start, trial, fold=not spec.keeps_batchnorm)
    order = OrderingSpec(method="identity") if scratch else spec.ordering
    params = PermuteParams(
        network=converted,
        ordering=_ordering(tasks, order),
        coefficients=spec.coefficients if spec.coefficients < 1 else None,
        seed=trial.seed if order.method in names.DRAWN_ORDERINGS else None,
    )
    permuted = tasks.add(params, trial.shared_label, model=trial.model)
    return _add_integral_train_task(tasks, permuted, spec.train, trial) if spec.train else permuted


def _ordering(tasks: TaskCollector, spec: OrderingSpec) -> OrderingParams:
    """The parameters of the ordering; a pool is part of them only where orders are chosen from it."""
    return OrderingParams(
        method=spec.method,
        metric=spec.metric,
        normalize=spec.normalize,
        limits=EFFORTS[spec.effort],
        pool=spec.pool if spec.choice != "shortest" else None,
        ortools=tasks.environment.ortools_version,
    )


def _add_choose_task(tasks: TaskCollector, spec: IntegralMethod, request: PruneRequest, trial: Trial) -> ArtifactKey:
    """The network with the orders chosen for one compression."""
    problem = tasks.problem_of(trial.model)
    widths = plan_widths(tasks, request, trial)
    if spec.ordering.choice == "output":
        params = ChooseParams(
            network=request.network,
            widths=widths,
            choice="output",
            partition=spec.partition,
            quadrature=spec.quadrature,
            images=problem.images(spec.ordering.images),
            objective=problem.objective if problem.objective != CLASSIFICATION else None,
            repair="variance" if spec.repair == "variance" else None,
            seed=trial.seed,
        )
        return tasks.add(params, trial.label, model=trial.model, locations=problem.location)
    by_weights = ChooseParams(
        network=request.network,
        widths=widths,
        choice="reconstruction",
        partition=spec.partition,
        quadrature="means" if spec.quadrature == "means" else "product",  # others sample the outputs alike
    )
    return tasks.add(by_weights, trial.label, model=trial.model)


def _add_integral_train_task(
    tasks: TaskCollector, permuted: ArtifactKey, spec: IntegralTrainSpec, trial: Trial
) -> ArtifactKey:
    problem = tasks.problem_of(trial.model)
    procedure = IntegralTraining(
        network=permuted,
        recipe=Recipe.of(spec),
        smallest=spec.smallest,
        limits=whole_of(tasks.spec.prune_of(trial.model, trial.method)),
    )
    teacher = teacher_of(tasks, permuted, procedure.recipe, model=trial.model, seed=trial.seed)
    procedure = replace(procedure, teacher=teacher)
    params = TrainParams(procedure=procedure, data=problem.data, objective=problem.objective, seed=trial.seed)
    return tasks.add(params, trial.shared_label, model=trial.model, locations=problem.location)
