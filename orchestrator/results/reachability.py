"""Which artifacts the recorded sweeps need, for `orchard gc`.

Their points, all ancestors of these, and what a run of the same sweep would read. Pure: no disk, no store. What is
deleted is decided in `store.clearing`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobs.artifact import Manifest
from jobs.errors import OrchardError
from jobs.spec.sweep import SweepSpec
from jobs.stages.base import JoiningParams
from jobs.stages.table import StageKind
from jobs.task import Task, appearing_tasks, make_task
from orchestrator.planning import Plan, PlanEnvironment, plan_sweep
from orchestrator.results import SweepRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """The artifacts to keep.

    Attributes:
        keys: Keys of artifacts, committed or not.
        unplanned: Unfinished sweeps that this version of the code cannot plan: they may need any artifact.
    """

    keys: frozenset[str]
    unplanned: tuple[str, ...]


def needed(records: Iterable[SweepRecord], manifests: Mapping[str, Manifest]) -> Needed:
    """The artifacts that the recorded sweeps need.

    Args:
        records: The records of all sweeps to keep.
        manifests: The manifests of all committed artifacts.
    """
    roots: set[str] = set()
    unplanned = []
    for record in records:
        points = {key for curve in record.curves for point in curve.points for key in point.keys}
        roots |= points
        plan = _plan_again(record, points)
        if plan is not None:
            roots |= plan.tasks.keys()
            for task in plan.tasks.values():
                roots |= _joined(task, manifests)
        elif not points <= manifests.keys():
            unplanned.append(record.name)
    return Needed(keys=frozenset(_closure(roots, manifests)), unplanned=tuple(sorted(unplanned)))


def _plan_again(record: SweepRecord, points: set[str]) -> Plan | None:
    """The plan of a recorded sweep; None where this version of the code would plan it differently."""
    if not record.environment:
        return None
    try:
        spec = SweepSpec.model_validate_json(json.dumps(record.spec))
        plan = plan_sweep(spec, PlanEnvironment(**record.environment))
    except (ValueError, TypeError, OrchardError):
        return None
    return plan if set(plan.targets) == points else None


def _closure(roots: set[str], manifests: Mapping[str, Manifest]) -> set[str]:
    """The roots and all their ancestors."""
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        key = waiting.pop()
        if key in reached:
            continue
        reached.add(key)
        if manifest := manifests.get(key):
            waiting.extend(manifest.inputs.values())
            if task := _joining_task(manifest):
                waiting.extend(_joined(task, manifests))
    return reached


def _joining_task(manifest: Manifest) -> Task | None:
    """The joining task that produced an artifact; None for other tasks and for parameters of an older version."""
    try:
        stage = StageKind(manifest.stage)
        if not issubclass(stage.row.params, JoiningParams):
            return None
        identity = manifest.identity
        params = stage.row.params.from_document(identity["params"])
        task = make_task(params, environment=identity["environment"])
        return task if task.key == manifest.key else None
    except (ValueError, KeyError):
        return None


def _joined(task: Task, manifests: Mapping[str, Manifest]) -> set[str]:
    """Keys of the appearing tasks that a task joins, if their source is measured."""
    if not isinstance(task.params, JoiningParams) or task.params.source not in manifests:
        return set()
    return {each.key for each in appearing_tasks(task, manifests[task.params.source].measurements)}
