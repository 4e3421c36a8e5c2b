"""Which points are missing because a task failed, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.artifact import Store
from jobs.errors import OrchardError
from jobs.stages.base import JoiningParams
from jobs.task import Task, appearing_tasks
from orchestrator.planning import PlannedCurve
from orchestrator.report.settings import curve_title
from orchestrator.results import Curve, SweepRecord
from orchestrator.results.reachability import plan_again
from orchestrator.results.targets import percent
from orchestrator.status import EqualFailures, equal_failures, read_history
from orchestrator.store import ArtifactStore


@dataclass(frozen=True, slots=True, kw_only=True)
class LostPoints:
    """Equal failures, and the points that are missing because of them.

    Attributes:
        failures: The failures.
        points: Curves and target compressions; None where they are not known.
    """

    failures: EqualFailures
    points: tuple[tuple[PlannedCurve, float], ...] | None

    @property
    def words(self) -> str:
        """The points for people: by method, with its compressions, and its seeds where they are not all the same."""
        if self.points is None:
            return "not known: this version of Orchard would plan the sweep in another way"
        found: dict[str, dict[float, set[int]]] = {}
        for curve, asked in self.points:
            found.setdefault(curve_title(curve), {}).setdefault(asked, set()).add(curve.seed)
        parts = []
        for title, compressions in found.items():
            seeds = sorted(set().union(*compressions.values()))
            of = f" (seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))})"
            parts.append(f"{title} at {', '.join(percent(asked) for asked in sorted(compressions))}{of}")
        return "; ".join(parts)


def collect_failures(record: SweepRecord, curves: Sequence[Curve], store: ArtifactStore) -> tuple[LostPoints, ...]:
    """The failures of a sweep's last run, with the points of its curves that they took away.

    Which points depend on a task is read from the sweep's plan, if that can be made again. Failures whose points were
    measured since, by another sweep, are left out.
    """
    missing = _missing(curves)
    equal = equal_failures(read_history(store.files, record.name).run.failed.values()) if missing else ()
    if not equal:
        return ()
    behind = _behind(record, missing, {key for each in equal for key in each.keys}, store)
    if behind is None:
        return tuple(LostPoints(failures=each, points=None) for each in equal)
    found = []
    for each in equal:
        keys = [key for key in missing if not behind[key].isdisjoint(each.keys)]
        if keys:
            found.append(LostPoints(failures=each, points=tuple(point for key in keys for point in missing[key])))
    return tuple(found)


def _missing(curves: Sequence[Curve]) -> dict[str, list[tuple[PlannedCurve, float]]]:
    """The tasks that measure points, and have not yet, with the points."""
    found: dict[str, list[tuple[PlannedCurve, float]]] = {}
    for curve in curves:
        measured = {key for point in curve.points for key in point.keys}
        for point in curve.plan.points:
            for key in point.keys:
                if key not in measured:
                    found.setdefault(key, []).append((curve.plan, point.compression))
    return found


def _behind(
    record: SweepRecord, missing: Mapping[str, object], failed: set[str], store: ArtifactStore
) -> dict[str, set[str]] | None:
    """By the task of a missing point: itself and those of the failed tasks that it depends on; None if not known."""
    if failed <= missing.keys():
        return {key: {key} for key in missing}
    plan = plan_again(record)
    if plan is None:
        return None
    found: dict[str, set[str]] = {}
    for key, task in plan.tasks.items():  # inputs come before the tasks that read them
        mine = {key, *_joined(task, store)} & failed
        found[key] = mine.union(*(found.get(each, set()) for each in task.inputs.values()))
    return {key: found.get(key, set()) | {key} for key in missing}


def _joined(task: Task, store: Store) -> set[str]:
    """The appearing tasks that a task joins, as far as their source is measured."""
    if not isinstance(task.params, JoiningParams):
        return set()
    try:
        measured = store.manifest(task.params.source).measurements
    except OrchardError:
        return set()
    return {each.key for each in appearing_tasks(task, measured)}
