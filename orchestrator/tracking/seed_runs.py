"""Logs the curve of one seed: the rows that its run does not have yet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.planning import PlannedCurve
from orchestrator.results import Curve, Point
from orchestrator.tracking.runs import (
    CURRENT_TAG,
    CURVE_TAG,
    KIND_TAG,
    PARENT_TAG,
    RESOURCES_TAG,
    curve_name,
    find_seed_run,
    recorded_rows,
    recorded_tags,
    row_name,
    settings_of,
    short,
    words_of,
)
from orchestrator.tracking.writing import set_status, write

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedLog:
    """What the runs of all seeds of a sweep are logged with.

    Attributes:
        client: A client of MLflow.
        experiment_id: Their experiment.
        provenance: Tags of a run to which something new is logged.
        resources: Resource usage of the tasks behind curves, by stage.
        ended: Whether no more points come for now.
    """

    client: "MlflowClient"
    experiment_id: str
    provenance: Mapping[str, str]
    resources: Mapping[PlannedCurve, Mapping[str, str]]
    ended: bool

    def log(self, curve: Curve, candidates: Sequence["Run"], *, parent_id: str, start_ms: int) -> None:
        """Log a curve below a run, with its earlier runs; one without points gets no run.

        Args:
            curve: The curve, as far as measured.
            candidates: The runs of its name.
            parent_id: The run of its mean curve, or of the sweep.
            start_ms: When a new run starts.
        """
        settings = settings_of(curve.plan)
        run, earlier = find_seed_run(self.client, candidates, curve.plan, settings)
        if run is not None and not curve.points and not recorded_rows(run):
            self.client.delete_run(run.info.run_id)  # version 0.1 made runs of curves that measured nothing
        elif run is not None or curve.points:
            latest = max((int(each.info.start_time) + 1 for each in earlier), default=start_ms)
            run = self._write(run, curve, settings, parent_id, max(start_ms, latest))
            set_status(self.client, run, complete=curve.complete, ended=self.ended)
        for each in earlier:
            move(self.client, each, parent_id)

    def _write(
        self, run: "Run | None", curve: Curve, settings: Mapping[str, str], parent_id: str, start_ms: int
    ) -> "Run":
        from mlflow.entities import Metric

        plan = curve.plan
        recorded = recorded_rows(run) if run else {}
        new = [row for point in curve.points for row in _rows(point) if row.name not in recorded]
        metrics = [
            Metric(name, value, round(row.created_s * 1000), row.step)
            for row in new
            for name, value in row.metrics.items()
        ]
        tags = {KIND_TAG: "seed", CURRENT_TAG: "yes", PARENT_TAG: parent_id, **words_of(plan)}
        if new:  # provenance of the code that measured the new points only
            tags |= self.provenance
        if run is None:
            named = {CURVE_TAG: curve_name(plan), **tags}
            run = self.client.create_run(self.experiment_id, start_ms, named, plan.label)
        if new:  # written with the last rows, see `write`
            tags |= recorded_tags(recorded | {row.name: short(row.key) for row in new})
        if plan in self.resources:
            tags[RESOURCES_TAG] = json.dumps(self.resources[plan])
        write(self.client, run, metrics=metrics, params=settings, tags=tags)
        return run


def move(client: "MlflowClient", run: "Run", parent_id: str) -> None:
    """Put a run below another one."""
    if run.data.tags.get(PARENT_TAG) != parent_id:
        client.set_tag(run.info.run_id, PARENT_TAG, parent_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What one task measured of a point: its metrics at one step."""

    name: str
    step: int
    key: str
    metrics: Mapping[str, float]
    created_s: float


def _rows(point: Point) -> list[_Row]:
    step = point.step
    own = _Row(name=row_name(step), step=step, key=point.key, metrics=point.metrics, created_s=point.created_s)
    further = [
        _Row(name=row_name(step, each.stage), step=step, key=each.key, metrics=each.metrics, created_s=each.created_s)
        for each in point.further
    ]
    return [own, *further]
