"""Plans a whole sweep: every model, method, protocol, seed and compression."""

from jobs.errors import BadInputError
from jobs.spec.execution import precisions
from jobs.spec.methods import BicubicMethod, DenseMethod
from jobs.spec.sweep import SweepSpec
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.measurements import plan_measurements
from orchestrator.planning.methods import plan_method
from orchestrator.planning.networks import add_evaluate_task
from orchestrator.planning.plan import Plan, PlanEnvironment, PlannedCurve, PlannedPoint
from orchestrator.planning.protocols import plan_protocol
from orchestrator.planning.trial import Trial


def plan_sweep(spec: SweepSpec, environment: PlanEnvironment) -> Plan:
    """Plan every model x method x protocol x seed x compression of a sweep as a DAG of tasks.

    Raises:
        BadInputError: Tasks would be refused where they run.
    """
    _check_precisions(spec, environment)
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


def _check_precisions(spec: SweepSpec, environment: PlanEnvironment) -> None:
    asked = [where for where, precision in precisions(spec) if precision == "float16"]
    if asked and environment.device == "cpu":
        raise BadInputError(
            f"{', '.join(asked)}: float16 is for GPUs, and this sweep runs on CPUs; set bfloat16 or float32"
        )


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
        dense=isinstance(tasks.spec.methods[method], DenseMethod),
        baseline=isinstance(tasks.spec.methods[method], BicubicMethod),
        control=tasks.spec.control_of(protocol),
        labels=tasks.spec.models[model].labels,
    )


def _plan_point(tasks: TaskCollector, trial: Trial, protocol: str) -> PlannedPoint:
    """One point, and the tasks that measure it."""
    method, problem = tasks.spec.methods[trial.method], tasks.problem_of(trial.model, protocol)
    network = plan_protocol(tasks, protocol, plan_method(tasks, trial), trial)
    return PlannedPoint(
        compression=trial.compression,
        key=add_evaluate_task(tasks, network, trial, problem),
        further=() if isinstance(method, BicubicMethod) else plan_measurements(tasks, network, trial, protocol),
    )
