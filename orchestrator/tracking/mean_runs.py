"""Logs a mean curve: a run at the top level, which is made anew where what it shows has changed.

MLflow keeps every value that a metric ever had at a step. So a row that may still change (a seed is missing) is written
at the end of a sweep only, and only into a new run; where it has changed later, a new run takes the place of that one.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.tracking.means import MeanCurve
from orchestrator.tracking.runs import (
    KIND_TAG,
    MEAN_TAG,
    mean_name,
    recorded_rows,
    recorded_tags,
    settings_of,
    words_of,
)
from orchestrator.tracking.writing import set_status, write

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def log_mean(
    client: "MlflowClient",
    candidates: Sequence["Run"],
    mean: MeanCurve,
    *,
    tags: Mapping[str, str],
    experiment_id: str,
    start_ms: int,
    ended: bool,
) -> "Run | None":
    """Log the missing rows of a mean curve.

    Args:
        client: A client of MLflow.
        candidates: Its runs so far.
        mean: The mean curve.
        tags: Further tags.
        experiment_id: The sweep's experiment.
        start_ms: When a new run starts.
        ended: No more points come for now.

    Returns:
        Its run; None where nothing of it can be shown yet, so that it takes no place among those that can.
    """
    from mlflow.entities import Metric

    shown = {name for run in candidates for name in recorded_rows(run)}
    rows = {row.name: row for row in mean.rows if row.settled or ended or row.name in shown}
    digests = {name: row.digest for name, row in rows.items()}
    run = next((run for run in candidates if _continues(run, digests)), None)
    recorded = recorded_rows(run) if run else {}
    if run is not None and any(not row.settled for name, row in rows.items() if name not in recorded):
        run, recorded = None, {}
    new = [row for name, row in rows.items() if name not in recorded]
    if run is None and not new:
        return None
    words = {KIND_TAG: "mean", **words_of(mean.plan), **tags}
    if run is None:
        run = client.create_run(experiment_id, start_ms, {MEAN_TAG: mean_name(mean.plan), **words}, mean.label)
    if new:
        words |= recorded_tags(recorded | {row.name: row.digest for row in new})
    metrics = [
        Metric(name, value, round(row.created_s * 1000), row.step) for row in new for name, value in row.metrics.items()
    ]
    write(client, run, metrics=metrics, params=_settings(mean), tags=words)
    set_status(client, run, complete=mean.complete, ended=ended)
    for other in candidates:
        if other.info.run_id != run.info.run_id:
            client.delete_run(other.info.run_id)
    return run


def _continues(run: "Run", digests: Mapping[str, str]) -> bool:
    """Whether a run shows nothing that has changed; one that died before its first tag may show anything."""
    recorded = recorded_rows(run)
    return bool(recorded) and all(digests.get(name, digest) == digest for name, digest in recorded.items())


def _settings(mean: MeanCurve) -> dict[str, str]:
    """The settings that all its seeds have in common."""
    several = [settings_of(curve.plan) for curve in mean.seeds]
    return {name: value for name, value in several[0].items() if all(each.get(name) == value for each in several)}
