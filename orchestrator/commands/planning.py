"""`orchard plan`: the DAG of a sweep by stage. Imports neither torch, ray nor mlflow."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click
import yaml
from rich.console import Console
from rich.table import Table

from jobs.artifact import MissingArtifactError
from jobs.effective import effective
from jobs.load import load_sweep
from jobs.secrets import masked_record
from jobs.shipped import shipped_sweeps
from jobs.sources import project_modules
from jobs.spec.sweep import SweepSpec
from jobs.stages.base import JoiningParams
from jobs.stages.table import StageKind, stage_for
from jobs.task import appearing_tasks
from orchestrator.commands.costing import cost_of, print_cost
from orchestrator.driver.resume import resume_point
from orchestrator.environment import gpus_of_this_machine, read_environment
from orchestrator.planning import Plan, plan_sweep
from orchestrator.results.changes import Change, changes_since
from orchestrator.results.records import read_record
from orchestrator.store import ArtifactStore, open_store
from orchestrator.store.records import UnreadableRecordError


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCount:
    """Task counts of one stage.

    Attributes:
        stage: The stage.
        asked: Tasks requested by all curves, before deduplication.
        tasks: Tasks after deduplication.
        stored: Cache hits: tasks whose artifact is in the store.
    """

    stage: StageKind
    asked: int
    tasks: int
    stored: int

    @property
    def shared(self) -> int:
        """Tasks saved by deduplication."""
        return self.asked - self.tasks


def plan_for(spec: SweepSpec, device: str | None) -> tuple[Plan, str]:
    """The plan of a sweep, and its device class."""
    if device is None:
        device = spec.device if spec.device != "auto" else "cuda" if gpus_of_this_machine() else "cpu"
    return plan_sweep(spec, read_environment(spec, device=device)), device


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCount:
    """Task counts of a plan.

    Attributes:
        stages: Counts of the stages that have tasks, or will get appearing ones.
        unknown: Stage of appearing tasks -> number of joining tasks whose appearing tasks are not known yet.
    """

    stages: tuple[StageCount, ...]
    unknown: Mapping[StageKind, int]


def count_stages(plan: Plan, store: ArtifactStore) -> PlanCount:
    """Count the tasks of a plan, including those that have appeared."""
    present, measured = resume_point(plan, store)
    keys: dict[StageKind, set[str]] = {stage: set() for stage in StageKind}
    asked, unknown = Counter(plan.asked), Counter[StageKind]()
    for task in plan.tasks.values():
        keys[task.stage].add(task.key)
        if not isinstance(task.params, JoiningParams):
            continue
        if task.params.source not in measured:
            unknown[stage_for(task.params.adds)] += 1
            continue
        for each in appearing_tasks(task, measured[task.params.source]):
            keys[each.stage].add(each.key)
            asked[each.stage] += 1
    stages = [
        StageCount(stage=stage, asked=asked[stage], tasks=len(keys[stage]), stored=len(keys[stage] & present))
        for stage in StageKind
        if keys[stage] or unknown[stage]
    ]
    return PlanCount(stages=tuple(stages), unknown=unknown)


def list_shipped() -> None:
    """Print the names of the sweeps that are shipped, and what each is."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    for name, summary in shipped_sweeps().items():
        table.add_row(name, summary)
    Console().print(table)


def show_sweep(sweep: str, overrides: Sequence[str]) -> None:
    """Print a sweep as it would run, as YAML: overrides applied, every default filled in, no secrets."""
    spec = load_sweep(sweep, overrides)
    shown = masked_record(effective(spec))
    click.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=120), nl=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRequest:
    """An estimate of costs that is asked for.

    Attributes:
        cluster: A cluster file; None: `cluster.yaml` of this folder, if it is there.
        prices: `NODE=USD`, an hour.
    """

    cluster: str | None
    prices: Sequence[str]


def show_plan(
    sweep: str, overrides: Sequence[str], *, as_json: bool, device: str | None, asked: CostRequest | None = None
) -> None:
    """Print the plan of a sweep file, and what it will cost where that is asked for."""
    spec = load_sweep(sweep, overrides)
    plan, device = plan_for(spec, device)
    store = open_store(spec.storage)
    cost = cost_of(spec, plan, store, cluster=asked.cluster, prices=asked.prices) if asked else None
    count = count_stages(plan, store)
    changes = _changes(spec, plan, store)
    if as_json:
        value = {
            "name": spec.name,
            "device": device,
            "storage": store.uri,
            "curves": len(plan.curves),
            "stages": {
                each.stage.value: {
                    "asked": each.asked,
                    "tasks": each.tasks,
                    "shared": each.shared,
                    "stored": each.stored,
                }
                for each in count.stages
            },
            "changed": [{"name": each.name, "files": _files(each), "run_again": sorted(each.keys)} for each in changes],
            "joining_tasks_with_unknown_inputs": {stage.value: number for stage, number in count.unknown.items()},
            "tasks": [
                {"key": task.key, "stage": task.stage.value, "label": task.label, "inputs": dict(task.inputs)}
                for task in plan.tasks.values()
            ],
            **({"cost": cost.to_json()} if cost else {}),
        }
        click.echo(json.dumps(value, indent=2))
        return
    click.echo(f"{spec.name}: {len(plan.curves)} curves, device {device}, store {store.uri}")
    click.echo(f"{'stage':<12}{'asked':>8}{'shared':>8}{'tasks':>8}{'stored':>8}{'to run':>8}")
    for each in count.stages:
        missing = each.tasks - each.stored
        click.echo(f"{each.stage.value:<12}{each.asked:>8}{each.shared:>8}{each.tasks:>8}{each.stored:>8}{missing:>8}")
    for stage, number in count.unknown.items():
        click.echo(f"{stage.value}: more tasks will appear once their source is measured; {number} tasks wait for some")
    for change in changes:
        click.echo(_told(change, plan))
    if cost:
        print_cost(cost)


def _changes(spec: SweepSpec, plan: Plan, store: ArtifactStore) -> tuple[Change, ...]:
    """What has changed since the sweep of this name ran with this store."""
    try:
        return changes_since(read_record(store, spec.name), spec, plan, store.present)
    except (MissingArtifactError, UnreadableRecordError):
        return ()


def _told(change: Change, plan: Plan) -> str:
    what = "code" if change.is_code else "data"
    files = f", in {', '.join(_files(change))}" if change.modules else ""
    stages = Counter(plan.tasks[key].stage.value for key in change.keys)
    counts = ", ".join(f"{count} {stage}" for stage, count in stages.items())
    again = f"{len(change.keys)} tasks run again because of it ({counts})" if stages else "no stored task runs again"
    return f"{what} has changed since the last run: {change.name}{files}; {again}"


def _files(change: Change) -> list[str]:
    """The files of the modules that have changed; the name of a module that is not there any more."""
    found = project_modules(change.name) if change.is_code else {}
    return [os.path.relpath(found[name]) if name in found else f"{name} (gone)" for name in change.modules]
