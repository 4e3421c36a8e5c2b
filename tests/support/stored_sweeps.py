"""Sweeps in a store, every task of which is committed, though none was computed."""

from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from jobs.artifact import Manifest
from jobs.load import load_sweep
from jobs.task import GroupSize, StageKind, Task, order_tasks
from orchestrator.planning import Plan, Surroundings, plan_sweep
from orchestrator.results import SweepRecord
from orchestrator.store import ArtifactStore

SURROUNDINGS = Surroundings(device="cpu", torch_version="2", ortools_version="9", data="d", weights={}, sources={})
GROUPS = (GroupSize(name="a", width=128), GroupSize(name="b", width=256))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSweep:
    record: SweepRecord
    plan: Plan
    tasks: dict[str, Task]

    def keys(self, stage: StageKind) -> set[str]:
        return {task.key for task in self.tasks.values() if task.stage is stage}


def commit(store: ArtifactStore, task: Task) -> None:
    """An artifact with one file that no other has, and one that all share."""
    groups = [{"name": group.name, "width": group.width} for group in GROUPS]
    measurements = {"groups": groups} if task.stage is StageKind.CONVERT else {}
    manifest = Manifest(
        key=task.key, stage=task.stage.value, identity=task.identity(), measurements=measurements, label=task.label
    )
    store.commit(manifest, {"own": task.key.encode(), "shared": b"the same for all"})


def stored_sweep(store: ArtifactStore, sweep: dict, path: Path) -> StoredSweep:
    """Record a sweep that is read from a file at `path`, and commit all its tasks, `order` tasks included."""
    path.write_text(yaml.safe_dump(sweep))
    spec = load_sweep(path)
    plan = plan_sweep(spec, SURROUNDINGS)
    record = SweepRecord(
        name=spec.name, spec=spec.model_dump(mode="json"), curves=plan.curves, surroundings=asdict(SURROUNDINGS)
    )
    tasks = dict(plan.tasks)
    for task in plan.tasks.values():
        if task.stage is StageKind.PERMUTE:
            tasks |= {order.key: order for order in order_tasks(task, GROUPS)}
    for task in tasks.values():
        commit(store, task)
    store.write_sweep(spec.name, record.to_json())
    return StoredSweep(record=record, plan=plan, tasks=tasks)
