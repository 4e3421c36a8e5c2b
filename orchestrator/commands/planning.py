"""`orchard plan`: the DAG of a sweep by stage. Imports neither torch, ray nor mlflow."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import click

from jobs.load import load_sweep
from jobs.spec import SweepSpec
from jobs.task import StageKind, order_tasks
from orchestrator.planning import Plan, plan_sweep
from orchestrator.resume import resume_point
from orchestrator.store import ArtifactStore, open_store
from orchestrator.surroundings import read_surroundings, this_machine_has_gpu


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCount:
    """One stage of a plan.

    Attributes:
        stage: Which.
        asked: Tasks that the curves ask for.
        tasks: Tasks after equal ones are joined.
        stored: Those whose artifact is in the store.
    """

    stage: StageKind
    asked: int
    tasks: int
    stored: int

    @property
    def shared(self) -> int:
        """Tasks saved because equal ones are one."""
        return self.asked - self.tasks


def plan_for(spec: SweepSpec, device: str | None) -> tuple[Plan, str]:
    """The plan of a sweep, and the device class that it is for."""
    if device is None:
        device = spec.device if spec.device != "auto" else "cuda" if this_machine_has_gpu() else "cpu"
    return plan_sweep(spec, read_surroundings(spec, device=device)), device


def count_stages(plan: Plan, store: ArtifactStore) -> tuple[list[StageCount], int]:
    """The stages of a plan, and how many `permute` tasks wait for a `convert` that will list their groups."""
    present, groups = resume_point(plan, store)
    tasks, stored = Counter(task.stage for task in plan.tasks.values()), Counter[StageKind]()
    for key in present & plan.tasks.keys():
        stored[plan.tasks[key].stage] += 1
    orders: dict[str, int] = {}
    unknown = 0
    for task in plan.tasks.values():
        if task.stage is not StageKind.PERMUTE:
            continue
        listed = groups.get(task.inputs["network"])
        unknown += listed is None
        for order in order_tasks(task, listed or ()):
            orders[order.key] = orders.get(order.key, 0) + 1
    tasks[StageKind.ORDER], stored[StageKind.ORDER] = len(orders), len(orders.keys() & present)
    asked = {**plan.asked, StageKind.ORDER: sum(orders.values())}
    return [
        StageCount(stage=stage, asked=asked.get(stage, 0), tasks=tasks[stage], stored=stored[stage])
        for stage in StageKind
        if tasks[stage] or (stage is StageKind.ORDER and unknown)
    ], unknown


def show_plan(sweep: str, overrides: Sequence[str], *, as_json: bool, device: str | None) -> None:
    """Print the plan of a sweep file."""
    spec = load_sweep(sweep, overrides)
    plan, device = plan_for(spec, device)
    store = open_store(spec.storage)
    stages, unknown = count_stages(plan, store)
    if as_json:
        value = {
            "name": spec.name,
            "device": device,
            "storage": store.uri,
            "curves": len(plan.curves),
            "stages": {
                count.stage.value: {
                    "asked": count.asked,
                    "tasks": count.tasks,
                    "shared": count.shared,
                    "stored": count.stored,
                }
                for count in stages
            },
            "permute_tasks_with_unknown_groups": unknown,
            "tasks": [
                {"key": task.key, "stage": task.stage.value, "label": task.label, "inputs": dict(task.inputs)}
                for task in plan.tasks.values()
            ],
        }
        click.echo(json.dumps(value, indent=2))
        return
    click.echo(f"{spec.name}: {len(plan.curves)} curves, device {device}, store {store.uri}")
    click.echo(f"{'stage':<10}{'asked':>8}{'shared':>8}{'tasks':>8}{'stored':>8}{'to run':>8}")
    for count in stages:
        missing = count.tasks - count.stored
        click.echo(
            f"{count.stage.value:<10}{count.asked:>8}{count.shared:>8}{count.tasks:>8}{count.stored:>8}{missing:>8}"
        )
    if unknown:
        click.echo(
            f"order: more tasks will follow, once convert has listed the channel groups ({unknown} permute tasks)"
        )
