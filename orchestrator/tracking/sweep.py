"""Logs a sweep's curves to MLflow: a projection of the store that can be deleted and rebuilt.

One experiment per sweep name, with one parent run and a child run per curve; the step of a metric row is the target
compression in percent. Stateless: what has been logged is read from MLflow.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from jobs.identity import content_key
from orchestrator.planning import PlannedCurve
from orchestrator.results import Curve, Point, SweepRecord
from orchestrator.tracking.address import artifact_location, opened, resolved, ui_address
from orchestrator.tracking.runs import (
    AREA_TAG,
    ARTIFACTS_TAG,
    COMMIT_TAG,
    CURRENT_TAG,
    CURVE_TAG,
    PARENT_TAG,
    RECORDED_TAG,
    RESOURCES_TAG,
    SWEEP_TAG,
    curve_name,
    delete_runs,
    find_child,
    find_experiment,
    find_parent,
    make_child,
    recorded_rows,
    row_name,
    runs_by_tag,
    settings_of,
    short,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, Run

T = TypeVar("T")

_METRICS_PER_BATCH, _PARAMS_PER_BATCH = 700, 100  # MLflow limits a request to 1,000 values in total


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedSweep:
    """Where a sweep is in MLflow.

    Attributes:
        experiment_id: The experiment with the sweep's name.
        parent_run_id: The run with the figures, tables and report.
        address: The URL of the experiment's charts; for a database, the URL once `ui_command` runs.
    """

    experiment_id: str
    parent_run_id: str
    address: str


def log_sweep(
    record: SweepRecord,
    curves: Sequence[Curve],
    *,
    tracking_uri: str,
    artifacts: Mapping[str, bytes] | None = None,
    areas: Mapping[PlannedCurve, float] | None = None,
    resources: Mapping[PlannedCurve, Mapping[str, str]] | None = None,
    ended: bool = False,
    rebuild: bool = False,
) -> TrackedSweep:
    """Log what MLflow does not have yet. Idempotent; one writer at a time per sweep.

    Args:
        record: The sweep.
        curves: Its curves, as far as measured.
        tracking_uri: A server's address or a database; `~` is the home folder.
        artifacts: Files for the parent run, by name.
        areas: Areas under curves, for a tag on their runs, which a later call may change.
        resources: Resource usage of the tasks behind curves, by stage, for a tag.
        ended: No more points for now: a curve with missing points becomes FAILED instead of RUNNING.
        rebuild: Delete the sweep's runs in MLflow and log everything again.

    Raises:
        TrackingUnavailableError: MLflow does not answer or rejects a request; the store keeps everything.
    """
    uri = resolved(tracking_uri)
    provenance = {f"orchard.version.{name}": version for name, version in record.versions.items()}
    if record.git_commit:
        provenance[COMMIT_TAG] = record.git_commit
    with opened(uri) as client:
        experiment_id = find_experiment(
            client, record.name, artifact_location(uri, record.name, str(record.spec.get("storage", "")))
        )
        if rebuild:
            delete_runs(client, experiment_id)
        runs = runs_by_tag(client, experiment_id)
        parent = find_parent(client, experiment_id, runs.get((SWEEP_TAG, record.name), []), record.name)
        for curve in curves:
            candidates = runs.get((CURVE_TAG, curve_name(curve.plan)), [])
            settings = settings_of(curve.plan)
            child = find_child(client, candidates, curve.plan, settings)
            run = _log_curve(client, parent, child, curve, settings, provenance)
            if areas and curve.plan in areas:
                _log(client, run, tags={AREA_TAG: f"{areas[curve.plan]:.5g}"})
            if resources and curve.plan in resources:
                _log(client, run, tags={RESOURCES_TAG: json.dumps(resources[curve.plan])})
            _set_status(client, run, complete=curve.complete, ended=ended)
        _log_files(client, parent, artifacts or {})
        _log(client, parent, tags=provenance)
        _set_status(client, parent, complete=all(curve.complete for curve in curves), ended=ended)
    return TrackedSweep(
        experiment_id=experiment_id, parent_run_id=parent.info.run_id, address=ui_address(uri, experiment_id)
    )


def _log_curve(
    client: "MlflowClient",
    parent: "Run",
    run: "Run | None",
    curve: Curve,
    settings: Mapping[str, str],
    provenance: Mapping[str, str],
) -> "Run":
    """Log the missing rows of a curve, to a new run where there is none; returns the run."""
    from mlflow.entities import Metric

    recorded = recorded_rows(run) if run else {}
    new = [row for point in curve.points for row in _rows(point) if row.name not in recorded]
    metrics = [
        Metric(name, value, round(row.created_s * 1000), row.step) for row in new for name, value in row.metrics.items()
    ]
    tags = {CURRENT_TAG: "yes", PARENT_TAG: parent.info.run_id}
    if new:  # provenance of the code that measured the new points only
        tags |= provenance
    run = run or make_child(client, parent.info.experiment_id, curve.plan, tags)
    if new:  # written with the last rows, see `_log`
        tags[RECORDED_TAG] = json.dumps(recorded | {row.name: short(row.key) for row in new})
    _log(client, run, metrics=metrics, params=settings, tags=tags)
    return run


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


def _log(
    client: "MlflowClient",
    run: "Run",
    *,
    metrics: Sequence["Metric"] = (),
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str],
) -> None:
    """Log what the run does not have; existing parameters are not changed."""
    from mlflow.entities import Param, RunTag

    new_params = [Param(name, value) for name, value in (params or {}).items() if name not in run.data.params]
    new_tags = [RunTag(name, value) for name, value in tags.items() if run.data.tags.get(name) != value]
    *earlier, last = list(_requests(metrics, new_params)) or [((), ())]
    for some_metrics, some_params in earlier:
        client.log_batch(run.info.run_id, metrics=some_metrics, params=some_params)
    if any(last) or new_tags:
        # MLflow writes the tags of a request after its rows, so the tags never claim rows that are missing.
        client.log_batch(run.info.run_id, metrics=last[0], params=last[1], tags=new_tags)


def _requests(
    metrics: Sequence["Metric"], params: Sequence["Param"]
) -> Iterator[tuple[Sequence["Metric"], Sequence["Param"]]]:
    """Split into parts that fit one request each."""
    yield from zip_longest(_chunks(metrics, _METRICS_PER_BATCH), _chunks(params, _PARAMS_PER_BATCH), fillvalue=())


def _log_files(client: "MlflowClient", parent: "Run", files: Mapping[str, bytes]) -> None:
    digest = content_key({name: sha256(content).hexdigest() for name, content in files.items()})
    if not files or parent.data.tags.get(ARTIFACTS_TAG) == digest:
        return
    with TemporaryDirectory(prefix="orchard-") as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        client.log_artifacts(parent.info.run_id, folder)
    _log(client, parent, tags={ARTIFACTS_TAG: digest})


def _set_status(client: "MlflowClient", run: "Run", *, complete: bool, ended: bool) -> None:
    status = "FINISHED" if complete else "FAILED" if ended else "RUNNING"
    if run.info.status == status:
        return
    if status == "RUNNING":
        client.update_run(run.info.run_id, status=status)
    else:
        client.set_terminated(run.info.run_id, status)


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
