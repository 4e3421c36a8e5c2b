"""Plans a whole sweep: every model, method, protocol, seed and compression."""

from dataclasses import replace

from jobs.spec.allocation import AllocationSpec, GuidedAllocation
from jobs.spec.criterion import CriterionMethod
from jobs.spec.fold import FoldMethod
from jobs.spec.integral import IntegralMethod
from jobs.spec.methods import BicubicMethod, DenseMethod
from jobs.spec.reconstruction import ReconstructionMethod
from jobs.spec.sweep import SweepSpec
from jobs.spec.unstructured import UnstructuredMethod
from jobs.stages.base import ArtifactKey
from jobs.stages.common import DesignInput, FollowedDesigns, PlannedAllocation
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.criterion import plan_criterion
from orchestrator.planning.fold import plan_fold
from orchestrator.planning.integral import plan_integral
from orchestrator.planning.measurements import plan_measurements
from orchestrator.planning.networks import add_bicubic_task, add_evaluate_task, add_train_task, dense_of
from orchestrator.planning.plan import Plan, PlanEnvironment, PlannedCurve, PlannedPoint
from orchestrator.planning.protocols import plan_protocol
from orchestrator.planning.reconstruction import plan_reconstruction
from orchestrator.planning.trial import Trial
from orchestrator.planning.unstructured import plan_unstructured


def plan_sweep(spec: SweepSpec, environment: PlanEnvironment) -> Plan:
    """Plan every model x method x protocol x seed x compression of a sweep as a DAG of tasks."""
    tasks = TaskCollector(spec, environment)
    curves = tuple(
        _plan_curve(tasks, model, method, protocol, seed)
        for model in spec.models
        for method, asked in spec.methods.items()
        if asked.applies_to(model)
        for protocol in asked.protocols
        for seed in spec.seeds
    )
    return Plan(tasks=tasks.tasks, curves=curves, asked=tasks.asked, resources=tasks.resources, environment=environment)


def _plan_curve(tasks: TaskCollector, model: str, method: str, protocol: str, seed: int) -> PlannedCurve:
    trials = [
        Trial(model=model, method=method, compression=compression, seed=seed)
        for compression in tasks.spec.compressions_of(method)
    ]
    return PlannedCurve(
        model=model,
        dataset=tasks.problem_of(model, protocol).spec.dataset,
        method=method,
        protocol=protocol,
        seed=seed,
        points=tuple(_plan_point(tasks, trial, protocol) for trial in trials),
        baseline=isinstance(tasks.spec.methods[method], BicubicMethod),
        control=tasks.spec.control_of(protocol),
        labels=tasks.spec.models[model].labels,
    )


def _plan_point(tasks: TaskCollector, trial: Trial, protocol: str) -> PlannedPoint:
    """One point, and the tasks that measure it."""
    method, problem = tasks.spec.methods[trial.method], tasks.problem_of(trial.model, protocol)
    network = plan_protocol(tasks, protocol, _plan_method(tasks, trial), trial)
    return PlannedPoint(
        compression=trial.compression,
        key=add_evaluate_task(tasks, network, trial, problem),
        further=() if isinstance(method, BicubicMethod) else plan_measurements(tasks, network, trial, protocol),
    )


def _plan_method(tasks: TaskCollector, trial: Trial) -> ArtifactKey:
    """The task whose artifact is the network after a method, before any protocol."""
    match tasks.spec.methods[trial.method]:
        case DenseMethod():
            return add_train_task(tasks, trial.model, trial.seed)
        case BicubicMethod():
            return add_bicubic_task(tasks, trial.model)
        case CriterionMethod() as spec:
            return plan_criterion(tasks, spec, _plan_allocation(tasks, spec.allocation, trial), trial)
        case ReconstructionMethod() as spec:
            return plan_reconstruction(tasks, spec, _plan_allocation(tasks, spec.allocation, trial), trial)
        case IntegralMethod() as spec:
            return plan_integral(tasks, spec, _plan_allocation(tasks, spec.allocation, trial), trial)
        case FoldMethod() as spec:
            return plan_fold(tasks, spec, _plan_allocation(tasks, spec.allocation, trial), trial)
        case UnstructuredMethod() as spec:
            return plan_unstructured(tasks, spec, trial)


def _plan_allocation(tasks: TaskCollector, allocation: AllocationSpec, trial: Trial) -> PlannedAllocation:
    """The allocation as a task parameter; a guided one is resolved to another method's networks of all seeds."""
    if not isinstance(allocation, GuidedAllocation):
        return allocation
    guide = replace(trial, model=allocation.model or trial.model, method=allocation.method)
    networks = [_plan_method(tasks, replace(guide, seed=seed)) for seed in tasks.spec.seeds]
    return FollowedDesigns(
        designs=tuple(DesignInput(network=network, channels=dense_of(tasks, network)) for network in networks)
    )
