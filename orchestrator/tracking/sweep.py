"""Logs a sweep's curves to MLflow: a projection of the store that can be deleted and rebuilt.

One experiment per store and sweep name. A run for each mean curve, below it one for each seed; the step of a metric
row is the target compression in percent. A run of the sweep has the files. Stateless: what has been logged is read from
MLflow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.planning import PlannedCurve
from orchestrator.results import Curve, SweepRecord
from orchestrator.tracking.address import FIRST_VIEW, artifact_location, opened, resolved, ui_address
from orchestrator.tracking.experiment import write_experiment
from orchestrator.tracking.finding import SWEEP_TAG, experiment_for
from orchestrator.tracking.mean_runs import log_mean
from orchestrator.tracking.means import MeanCurve, mean_curves
from orchestrator.tracking.runs import (
    AREA_TAG,
    COLOR_TAG,
    COMMIT_TAG,
    CURVE_TAG,
    KIND_TAG,
    MEAN_TAG,
    Order,
    curve_name,
    delete_runs,
    find_sweep_run,
    mean_name,
    runs_by_tag,
)
from orchestrator.tracking.seed_runs import SeedLog, move
from orchestrator.tracking.views import colors, views_of
from orchestrator.tracking.writing import set_status, write, write_files

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_TRIES = 3
_CHANGED = frozenset({"INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"})
"""What MLflow answers where an experiment or a run was deleted, restored or made since it was looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedSweep:
    """Where a sweep is in MLflow.

    Attributes:
        experiment_id: The sweep's experiment.
        sweep_run_id: The run with the figures, tables and report.
        address: The URL of the experiment's charts; for a database, the URL once MLflow serves it.
    """

    experiment_id: str
    sweep_run_id: str
    address: str


def log_sweep(
    record: SweepRecord,
    curves: Sequence[Curve],
    *,
    tracking_uri: str,
    store_id: str | None = None,
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
        store_id: The identity of the sweep's store, which tells it from sweeps of its name in other stores.
        artifacts: Files for the sweep's run, by name.
        areas: Areas under curves, for a tag on the runs of their means, which a later call may change.
        resources: Resource usage of the tasks behind curves, by stage, for a tag.
        ended: No more points for now: a curve with missing points becomes FAILED instead of RUNNING, and a mean is of
            the seeds that there are.
        rebuild: Delete the sweep's runs in MLflow and log everything again.

    Raises:
        TrackingUnavailableError: MLflow does not answer or rejects a request; the store keeps everything.
    """
    uri = resolved(tracking_uri)
    with opened(uri) as client:
        return _again_where_changed(
            lambda: _log(
                client,
                uri,
                record,
                curves,
                store_id=store_id,
                artifacts=artifacts or {},
                areas=areas or {},
                resources=resources or {},
                ended=ended,
                rebuild=rebuild,
            )
        )


def _again_where_changed(log: Callable[[], TrackedSweep]) -> TrackedSweep:
    """Log; again where somebody deletes, restores or makes at this very moment what it is logged to."""
    from mlflow.exceptions import MlflowException

    for _ in range(_TRIES - 1):
        try:
            return log()
        except MlflowException as error:
            if error.error_code not in _CHANGED:
                raise
    return log()


def _log(
    client: "MlflowClient",
    uri: str,
    record: SweepRecord,
    curves: Sequence[Curve],
    *,
    store_id: str | None,
    artifacts: Mapping[str, bytes],
    areas: Mapping[PlannedCurve, float],
    resources: Mapping[PlannedCurve, Mapping[str, str]],
    ended: bool,
    rebuild: bool,
) -> TrackedSweep:
    """See `log_sweep`."""
    means, provenance = mean_curves(record, curves), _provenance(record)
    location = artifact_location(uri, record.name, str(record.spec.get("storage", "")))
    experiment = experiment_for(client, record.name, store_id, location)
    number = str(experiment.experiment_id)
    if rebuild:
        delete_runs(client, number)
    runs = runs_by_tag(client, number)
    sweep = find_sweep_run(client, number, runs.get((SWEEP_TAG, record.name), []), record.name)
    of_seeds = {name: found for (tag, name), found in runs.items() if tag == CURVE_TAG}
    seeds = SeedLog(client=client, experiment_id=number, provenance=provenance, resources=resources, ended=ended)
    order = Order.of(sweep, (run for found in of_seeds.values() for run in found))
    for mean, color in zip(means, colors(record, means), strict=True):
        run = log_mean(
            client,
            runs.get((MEAN_TAG, mean_name(mean.plan)), []),
            mean,
            tags={COLOR_TAG: color, **_area(mean, areas)},
            experiment_id=number,
            start_ms=order.means_ms - mean.place,
            ended=ended,
        )
        _log_seeds(seeds, mean, of_seeds, parent_id=(run or sweep).info.run_id, order=order)
    write_files(client, sweep, artifacts)
    write(client, sweep, tags={KIND_TAG: "sweep", **provenance})
    set_status(client, sweep, complete=all(curve.complete for curve in curves), ended=ended)
    write_experiment(client, experiment, record, means, sweep.info.run_id)
    return TrackedSweep(
        experiment_id=number,
        sweep_run_id=sweep.info.run_id,
        address=ui_address(uri, number, FIRST_VIEW if views_of(means) else None),
    )


def _log_seeds(
    seeds: SeedLog, mean: MeanCurve, runs: Mapping[str, Sequence["Run"]], *, parent_id: str, order: Order
) -> None:
    """Log the seeds of a mean curve below a run, and move seeds there that the sweep had before."""
    names = [curve_name(curve.plan) for curve in mean.seeds]
    for place, (name, curve) in enumerate(zip(names, mean.seeds, strict=True)):
        seeds.log(curve, runs.get(name, ()), parent_id=parent_id, start_ms=order.seeds_ms - place)
    for name, found in runs.items():
        if name.rpartition("/")[0] == mean_name(mean.plan) and name not in names:
            for run in found:
                move(seeds.client, run, parent_id)


def _provenance(record: SweepRecord) -> dict[str, str]:
    tags = {f"orchard.version.{name}": version for name, version in record.versions.items()}
    return {**tags, COMMIT_TAG: record.git_commit} if record.git_commit else tags


def _area(mean: MeanCurve, areas: Mapping[PlannedCurve, float]) -> dict[str, str]:
    area = next((areas[curve.plan] for curve in mean.seeds if curve.plan in areas), None)
    return {} if area is None else {AREA_TAG: f"{area:.5g}"}
