"""Which artifacts the recorded sweeps need, for `orchard gc`.

Their points, all ancestors of these, and what a run of the same sweep would read. What is deleted is decided in
`store.clearing`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jobs.errors import OrchardError
from jobs.identity import Json
from jobs.spec.sweep import SweepSpec
from jobs.task import Task
from orchestrator.planning import Plan, PlanEnvironment, plan_sweep
from orchestrator.results import SweepRecord
from orchestrator.results.lineage import appeared_keys, joining_stages, task_of
from orchestrator.store.catalog import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """The artifacts to keep.

    Attributes:
        keys: Keys of artifacts, committed or not.
        unplanned: Unfinished sweeps that this version of the code cannot plan: they may need any artifact.
    """

    keys: frozenset[str]
    unplanned: tuple[str, ...]


def needed(records: Iterable[SweepRecord], catalog: Catalog) -> Needed:
    """The artifacts that the recorded sweeps need.

    Args:
        records: The records of all sweeps to keep.
        catalog: All committed artifacts.
    """
    joining = _Joining(catalog)
    roots: set[str] = set()
    unplanned = []
    for record in records:
        points = {key for curve in record.curves for point in curve.points for key in point.keys}
        roots |= points
        plan = plan_again(record)
        if plan is not None:
            roots |= plan.tasks.keys()
            for task in plan.tasks.values():
                roots |= joining.joined(task)
        elif not all(key in catalog for key in points):
            unplanned.append(record.name)
    return Needed(keys=frozenset(_closure(roots, catalog, joining)), unplanned=tuple(sorted(unplanned)))


def plan_again(record: SweepRecord) -> Plan | None:
    """The plan of a recorded sweep; None where this version of the code would plan it differently."""
    if not record.environment:
        return None
    try:
        spec = SweepSpec.model_validate_json(json.dumps(record.spec))
        plan = plan_sweep(spec, PlanEnvironment(**record.environment))
    except (ValueError, TypeError, OrchardError):
        return None
    points = {key for curve in record.curves for point in curve.points for key in point.keys}
    return plan if set(plan.targets) == points else None


def _closure(roots: set[str], catalog: Catalog, joining: "_Joining") -> set[str]:
    """The roots and all their ancestors."""
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        key = waiting.pop()
        if key in reached:
            continue
        reached.add(key)
        waiting.extend(catalog.inputs(key))
        waiting.extend(joining.joined_by(key))
    return reached


class _Joining:
    """The tasks that others join. Of manifests, those of joining tasks and of their sources alone are read again."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._stages = catalog, joining_stages()
        self._measured = lru_cache(maxsize=256)(self._read)  # seeds and methods share sources

    def joined_by(self, key: str) -> set[str]:
        """Keys of the appearing tasks that the task behind an artifact joined; none of other tasks."""
        if key not in self._catalog or self._catalog.stage(key) not in self._stages:
            return set()
        manifest = self._catalog.manifest(key)
        task = manifest and task_of(manifest)
        return self.joined(task) if task else set()

    def joined(self, task: Task) -> set[str]:
        """Keys of the appearing tasks that a task joins, if their source is measured."""
        return appeared_keys(task, self._measured)

    def _read(self, key: str) -> Mapping[str, Json] | None:
        manifest = self._catalog.manifest(key)
        return None if manifest is None else manifest.measurements
