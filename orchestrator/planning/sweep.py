"""The whole sweep: every model, method, protocol, seed and compression."""

from jobs.spec import (
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
    label = _label(model, method, seed, compression)
    if isinstance(spec, DenseMethod):
        network = networks.trained(tasks, model, seed)
    else:
        network = _pruned(tasks, spec, model, seed, compression, label)
    return networks.evaluated(tasks, with_protocol(tasks, protocol, network, model, seed, label), label)


def _label(model: str, method: str, seed: int, compression: float) -> str:
    return f"{model}/{method}@{round(compression * 100)}%/seed{seed}"


def _pruned(
    tasks: Collector,
    spec: CriterionMethod | IntegralMethod | ReconstructionMethod | UnstructuredMethod,
    model: str,
    seed: int,
    compression: float,
    label: str,
) -> str:
    """The task that makes a smaller network."""
    if isinstance(spec, UnstructuredMethod):
        return unstructured.pruned(tasks, spec, model, seed, compression, label)
    designs = {}
    if isinstance(spec.allocation, GuidedAllocation):
        designs = _designs(tasks, spec.allocation, model, compression)
    if isinstance(spec, CriterionMethod):
        return criterion.pruned(tasks, spec, model, seed, compression, label, designs)
    if isinstance(spec, ReconstructionMethod):
        return reconstruction.pruned(tasks, spec, model, seed, compression, label, designs)
    return integral.pruned(tasks, spec, model, seed, compression, label, designs)


def _designs(tasks: Collector, guide: GuidedAllocation, model: str, compression: float) -> dict[str, str]:
    """Role -> key: the networks that another method makes, of all seeds, and those that it makes them from."""
    found = tasks.spec.methods[guide.method]
    if not isinstance(found, CriterionMethod | IntegralMethod):
        raise ValueError(f"{guide.method} finds no widths; the sweep file should not have been taken")
    model = guide.model or model
    roles: dict[str, str] = {}
    for number, seed in enumerate(tasks.spec.seeds):
        key = _pruned(tasks, found, model, seed, compression, _label(model, guide.method, seed, compression))
        roles |= {f"design{number}": key, f"design{number}_channels": tasks.tasks[key].inputs["network"]}
    return roles
