"""Sweeps in a store, every task of which is committed, though none was computed."""

from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from jobs.artifact import Manifest
from jobs.load import load_sweep
from jobs.stages.table import StageKind
from jobs.task import Task, joined_tasks
from orchestrator.planning import Plan, PlanEnvironment, plan_sweep
from orchestrator.results import SweepRecord
from orchestrator.store import ArtifactStore

ENVIRONMENT = PlanEnvironment(device="cpu", torch_version="2", ortools_version="9", data="d", weights={}, sources={})
GROUPS = {"groups": [{"name": "a", "width": 128}, {"name": "b", "width": 256}]}
"""What every `convert` task measures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSweep:
    record: SweepRecord
    plan: Plan
    tasks: dict[str, Task]

    def keys(self, stage: StageKind) -> set[str]:
        return {task.key for task in self.tasks.values() if task.stage is stage}


def commit(store: ArtifactStore, task: Task, **measurements: object) -> None:
    """An artifact with one file that no other has, and one that all share."""
    manifest = Manifest(
        key=task.key,
        stage=task.stage.value,
        identity=task.identity(),
        inputs=task.inputs,
        measurements=measurements or (GROUPS if task.stage is StageKind.CONVERT else {}),
        label=task.label,
    )
    store.commit(manifest, {"own": task.key.encode(), "shared": b"the same for all"})


def stored_sweep(store: ArtifactStore, sweep: dict, path: Path) -> StoredSweep:
    """Record a sweep that is read from a file at `path`, and commit all its tasks, `order` tasks included."""
    path.write_text(yaml.safe_dump(sweep))
    spec = load_sweep(path)
    plan = plan_sweep(spec, ENVIRONMENT)
    record = SweepRecord(
        name=spec.name, spec=spec.model_dump(mode="json"), curves=plan.curves, environment=asdict(ENVIRONMENT)
    )
    tasks = dict(plan.tasks)
    for task in plan.tasks.values():
        tasks |= {each.key: each for each in joined_tasks(task, GROUPS)}
    for task in tasks.values():
        commit(store, task)
    store.write_sweep(spec.name, record.to_json())
    return StoredSweep(record=record, plan=plan, tasks=tasks)
