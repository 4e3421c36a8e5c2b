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
        points: Curves and target compressions.
    """

    failures: EqualFailures
    points: tuple[tuple[PlannedCurve, float], ...]

    @property
    def words(self) -> str:
        """The points for people: by method, with its compressions, and its seeds where they are not all the same."""
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

    Which points depend on a task is read from the sweep's plan; where that cannot be made again, failures that are not
    of the points' own tasks have none.
    """
    missing = _missing(curves)
    equal = equal_failures(read_history(store.files, record.name).run.failed.values()) if missing else ()
    behind = _behind(record, missing, {key for each in equal for key in each.keys}, store) if equal else {}
    return tuple(
        LostPoints(
            failures=each,
            points=tuple(
                point
                for key, points in missing.items()
                if not behind.get(key, {key}).isdisjoint(each.keys)
                for point in points
            ),
        )
        for each in equal
    )


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
) -> dict[str, set[str]]:
    """By the task of a missing point: itself and those of the failed tasks that it depends on."""
    if failed <= missing.keys():
        return {}
    plan = plan_again(record)
    if plan is None:
        return {}
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
