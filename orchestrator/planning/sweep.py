"""The whole sweep: every model, method, protocol, seed and compression."""

from dataclasses import replace

from jobs.spec import (
    AllocationSpec,
    CriterionMethod,
    DenseMethod,
    GuidedAllocation,
    IntegralMethod,
    ReconstructionMethod,
    SweepSpec,
    UnstructuredMethod,
)
from jobs.task import StageKind
from orchestrator.planning import criterion, integral, networks, reconstruction, unstructured
from orchestrator.planning.collector import Collector
from orchestrator.planning.plan import Plan, Surroundings
from orchestrator.planning.protocols import with_protocol
from orchestrator.planning.trial import Trial
from orchestrator.results import PlannedCurve, PlannedPoint


def plan_sweep(spec: SweepSpec, surroundings: Surroundings) -> Plan:
    """Plan every model x method x protocol x seed x compression of a sweep."""
    tasks = Collector(spec, surroundings)
    curves = tuple(
        _curve(tasks, model, method, protocol, seed)
        for model in spec.models
        for method, asked in spec.methods.items()
        if asked.applies_to(model)
        for protocol in asked.protocols
        for seed in spec.seeds
    )
    return Plan(
        tasks=tasks.tasks,
        curves=curves,
        asked=tasks.asked,
        order_resources=tasks.resources(StageKind.ORDER),
        surroundings=surroundings,
    )


def _curve(tasks: Collector, model: str, method: str, protocol: str, seed: int) -> PlannedCurve:
    trials = [
        Trial(model=model, method=method, compression=compression, seed=seed)
        for compression in tasks.spec.compressions_of(method)
    ]
    return PlannedCurve(
        model=model,
        dataset=tasks.spec.data.dataset,
        method=method,
        protocol=protocol,
        seed=seed,
        points=tuple(
            PlannedPoint(compression=trial.compression, key=_point(tasks, trial, protocol)) for trial in trials
        ),
    )


def _point(tasks: Collector, trial: Trial, protocol: str) -> str:
    """The task that measures one point."""
    if isinstance(tasks.spec.methods[trial.method], DenseMethod):
        network = networks.trained(tasks, trial.model, trial.seed)
    else:
        network = _pruned(tasks, trial)
    return networks.evaluated(tasks, with_protocol(tasks, protocol, network, trial), trial.label)


def _pruned(tasks: Collector, trial: Trial) -> str:
    """The task that makes a smaller network."""
    match tasks.spec.methods[trial.method]:
        case CriterionMethod() as spec:
            return criterion.pruned(tasks, spec, trial, _designs(tasks, spec.allocation, trial))
        case ReconstructionMethod() as spec:
            return reconstruction.pruned(tasks, spec, trial, _designs(tasks, spec.allocation, trial))
        case IntegralMethod() as spec:
            return integral.pruned(tasks, spec, trial, _designs(tasks, spec.allocation, trial))
        case UnstructuredMethod() as spec:
            return unstructured.pruned(tasks, spec, trial)
        case DenseMethod():
            raise ValueError(f"{trial.method} makes no smaller network; the sweep file should not have been taken")


def _designs(tasks: Collector, guide: AllocationSpec, trial: Trial) -> dict[str, str]:
    """Role -> key of what guides an allocation; nothing for one that is not guided.

    That is the networks that another method makes, of all seeds, and those that it makes them from.
    """
    if not isinstance(guide, GuidedAllocation):
        return {}
    roles: dict[str, str] = {}
    for number, seed in enumerate(tasks.spec.seeds):
        key = _pruned(tasks, replace(trial, model=guide.model or trial.model, method=guide.method, seed=seed))
        roles |= {f"design{number}": key, f"design{number}_channels": tasks.tasks[key].inputs["network"]}
    return roles
