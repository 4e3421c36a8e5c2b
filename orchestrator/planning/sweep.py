"""The whole sweep: every model, method, protocol, seed and compression."""

from jobs.spec import CriterionMethod, DenseMethod, SweepSpec, UnstructuredMethod
from jobs.task import StageKind
from orchestrator.planning import criterion, integral, networks, unstructured
from orchestrator.planning.collector import Collector
from orchestrator.planning.plan import Plan, Surroundings
from orchestrator.planning.protocols import with_protocol
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
    points = tuple(
        PlannedPoint(compression=compression, key=_point(tasks, model, method, protocol, seed, compression))
        for compression in tasks.spec.compressions_of(method)
    )
    return PlannedCurve(
        model=model,
        dataset=tasks.spec.data.dataset,
        method=method,
        protocol=protocol,
        seed=seed,
        points=points,
    )


def _point(tasks: Collector, model: str, method: str, protocol: str, seed: int, compression: float) -> str:
    """The task that measures one point."""
    spec = tasks.spec.methods[method]
    label = f"{model}/{method}@{round(compression * 100)}%/seed{seed}"
    match spec:
        case DenseMethod():
            network = networks.trained(tasks, model, seed)
        case CriterionMethod():
            network = criterion.pruned(tasks, spec, model, seed, compression, label)
        case UnstructuredMethod():
            network = unstructured.pruned(tasks, spec, model, seed, compression, label)
        case _:
            network = integral.pruned(tasks, spec, model, seed, compression, label)
    return networks.evaluated(tasks, with_protocol(tasks, protocol, network, model, seed, label), label)
