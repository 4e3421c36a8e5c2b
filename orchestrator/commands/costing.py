"""`orchard plan --cost`: the hours that a sweep will take. Imports neither torch, ray nor mlflow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from jobs.errors import BadInputError, OrchardError, nearest
from jobs.identity import Json, Parsed
from jobs.spec.sweep import SweepSpec
from jobs.stages.base import JoiningParams
from jobs.stages.table import StageKind, stage_for
from jobs.task import Task, appearing_tasks
from orchestrator.backends import NodeKind
from orchestrator.backends.cluster_file import read_kinds
from orchestrator.driver.resume import resume_point
from orchestrator.planning import Plan
from orchestrator.results import SweepRecord
from orchestrator.results.records import read_record
from orchestrator.scheduling.cost_model import CostModel
from orchestrator.scheduling.estimate import StageCost, estimate, needed_tasks
from orchestrator.status import read_history
from orchestrator.store import ArtifactStore

_CLUSTER_FILE = "cluster.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a sweep will cost.

    Attributes:
        stages: By stage and kind of node.
        unknown: Stages of tasks that will appear once others were measured, and that are not counted.
        sources: The sweeps whose tasks were seen.
        prices: Kind of node -> US dollars an hour.
    """

    stages: Sequence[StageCost]
    unknown: Sequence[StageKind]
    sources: Sequence[str]
    prices: Mapping[str, float]

    @property
    def nodes(self) -> dict[str, float]:
        """Seconds by kind of node."""
        names = dict.fromkeys(each.node for each in self.stages if each.node)
        return {name: sum(each.node_s for each in self.stages if each.node == name) for name in names}

    def to_json(self) -> dict[str, Json]:
        """The numbers as JSON; seconds, not hours."""
        nodes = {name: {"node_s": node_s, "usd": self.usd(name)} for name, node_s in self.nodes.items()}
        return {
            "stages": [asdict(each) for each in self.stages],
            "not_counted": [stage.value for stage in self.unknown],
            "seen_in": list(self.sources),
            "nodes": nodes,
        }

    def usd(self, node: str) -> float | None:
        """The price of the hours of a kind of node; None where it has none."""
        return self.nodes[node] / 3600 * self.prices[node] if node in self.prices else None


def cost_of(
    spec: SweepSpec, plan: Plan, store: ArtifactStore, *, cluster: str | None, prices: Sequence[str] = ()
) -> Cost:
    """Estimate what is missing of a planned sweep.

    Args:
        spec: The sweep.
        plan: Its plan.
        store: Its store, whose journals tell what was seen.
        cluster: A cluster file; None: `cluster.yaml` of this folder, if it is there.
        prices: `NODE=USD`, an hour.

    Raises:
        BadInputError: The cluster file or a price cannot be used.
    """
    file = cluster or (_CLUSTER_FILE if Path(_CLUSTER_FILE).is_file() else None)
    kinds = read_kinds(file) if file else ()
    present, measured = resume_point(plan, store)
    needed = needed_tasks(plan.tasks, plan.targets, present)
    tasks, unknown = list(needed), set[StageKind]()
    for task in needed:
        if isinstance(task.params, JoiningParams):
            if task.params.source in measured:
                tasks += _appearing(task, measured[task.params.source], plan, present)
            else:
                unknown.add(stage_for(task.params.adds))
    seen, sources = _seen(spec, plan, store)
    return Cost(
        stages=estimate(tasks, seen, kinds),
        unknown=sorted(unknown, key=list(StageKind).index),
        sources=sources,
        prices=dict(_price(each, kinds) for each in prices),
    )


def print_cost(cost: Cost) -> None:
    """Print the table of hours, the nodes that they take, and what is not counted."""
    click.echo(f"\nfrom what was seen of {', '.join(cost.sources)}:" if cost.sources else "\nno estimate:")
    if cost.sources:
        click.echo(f"{'stage':<12}{'tasks':>8}{'hours':>10}{'CPU-hours':>11}{'GPU-hours':>11}  node type")
        for each in cost.stages:
            seen = each.unseen < each.tasks
            times = (each.work_s, each.cpu_s, each.gpu_s) if seen else None
            click.echo(f"{_row(each.stage.value, each.tasks, times)}  {each.node}".rstrip())
        total = [sum(getattr(each, name) for each in cost.stages) for name in ("work_s", "cpu_s", "gpu_s")]
        click.echo(_row("all", sum(each.tasks for each in cost.stages), total))
    for line in _remarks(cost):
        click.echo(line)


def _row(name: str, tasks: int, times_s: Sequence[float] | None) -> str:
    hours = [f"{time_s / 3600:.3g}" for time_s in times_s] if times_s else ["?", "?", "?"]
    return f"{name:<12}{tasks:>8}{hours[0]:>10}{hours[1]:>11}{hours[2]:>11}"


def _remarks(cost: Cost) -> Iterator[str]:
    for name, node_s in cost.nodes.items() if cost.sources else ():
        usd = cost.usd(name)
        price = "" if usd is None else f", {usd:.2f} USD"
        yield f"{name}: {node_s / 3600:.3g} node-hours if its nodes are always full{price}"
    unseen = {each.stage.value: each.unseen for each in cost.stages if each.unseen}
    if unseen:
        told = ", ".join(f"{count} {stage}" for stage, count in unseen.items())
        yield (
            f"not counted, because nothing like them was seen in this store: {told}; a small part of the sweep, run "
            'first, shows what they take: "seeds=[0]" "compressions=[0.3]"'
        )
    if cost.unknown:
        yield f"not counted, because their number is not known yet: {', '.join(cost.unknown)}"


def _appearing(task: Task, measured: Mapping[str, Json], plan: Plan, present: frozenset[str]) -> Iterator[Task]:
    for each in appearing_tasks(task, measured):
        if each.key not in present:
            yield replace(each, resources=plan.resources.get(each.stage, each.resources))


def _seen(spec: SweepSpec, plan: Plan, store: ArtifactStore) -> tuple[CostModel, list[str]]:
    """What this sweep's tasks took on this class of device, and where it has none, those of other sweeps of the store.

    Of other sweeps count the models with the same network, arguments and data.
    """
    seen, sources = CostModel(), []
    wanted = {name: _kind_of_model(spec.model_dump(mode="json"), name) for name in spec.models}
    for sweep in sorted(store.sweeps(), key=lambda each: each != spec.name):
        try:
            record = read_record(store, sweep)
        except OrchardError:
            continue
        if record.environment.get("device") != plan.environment.device:
            continue
        model = read_history(store.files, sweep).cost_model
        families = {name: name for name in wanted} if sweep == spec.name else dict(_alike(wanted, record))
        if seen.adopt(model, families):
            sources.append(sweep)
    return seen, sources


def _alike(wanted: Mapping[str, list[Json]], record: SweepRecord) -> Iterator[tuple[str, str]]:
    """Models of another sweep, and those of this one that are like them."""
    for name in record.spec["models"]:
        theirs = _kind_of_model(record.spec, name)
        yield from ((name, ours) for ours, kind in wanted.items() if kind == theirs)


def _kind_of_model(spec: Parsed, name: str) -> list[Json]:
    """What decides how long the tasks of a model take."""
    model = spec["models"][name]
    data = model.get("data") or spec["data"]
    return [model.get("network"), model.get("arguments"), data["dataset"], data.get("arguments"), data.get("root")]


def _price(given: str, kinds: Sequence[NodeKind]) -> tuple[str, float]:
    name, _, text = given.partition("=")
    known = [kind.name for kind in kinds]
    if name not in known:
        raise BadInputError(
            f"--price {given}: no node type is called '{name}'; {nearest(name, known)} (--cluster FILE)"
        )
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if price < 0:
        raise BadInputError(f"--price {given}: write NODE=USD, US dollars an hour, such as {name}=1.2")
    return name, price
