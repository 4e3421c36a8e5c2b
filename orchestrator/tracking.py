"""A sweep's curves in MLflow: a projection of the store that can be deleted and rebuilt.

One experiment per sweep name, in it one parent run and a child run per curve. The parent is found by the sweep's
name alone, so that a compression, a seed or a method added to the sweep goes on in the same place. Whether a child
run goes on is decided by what was measured: see `_continues`.

This is the one module that imports mlflow, and only when there is something to log. It keeps no state: what MLflow
has already is read from MLflow. It refuses to know how results come about, when they are due and what they mean.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.results import Curve, SweepRecord
from orchestrator.tracking_address import (
    TrackingUnavailableError,
    opened,
    resolved,
    ui_address,
    ui_command,
    unavailable,
)

if TYPE_CHECKING:
    pass

__all__ = ["TrackedSweep", "TrackingUnavailableError", "log_sweep", "ui_command"]

SWEEP_TAG = "orchard.sweep"
"""On the parent run: the sweep's name."""
CURVE_TAG = "orchard.curve"
"""On a child run: `model/dataset/method/protocol/seed`."""
CURRENT_TAG = "orchard.current"
"""On a child run: `yes`, or `no` once a run with other results stands for the curve."""
RECORDED_TAG = "orchard.recorded"
"""On a child run: the rows that it has, as step -> beginning of the key of the task that measured it."""
ARTIFACTS_TAG = "orchard.artifacts"
"""On the parent run: digest of the files that it has."""

_METRICS_PER_BATCH, _PARAMS_PER_BATCH = 700, 100  # the server takes 1,000 of both together
_VALUE_LENGTH = 500
_KEY_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedSweep:
    """Where a sweep is in MLflow.

    Attributes:
        experiment_id: The experiment named like the sweep.
        parent_run_id: The run that has the figure, the table and the report.
        address: The page of the experiment's charts; for a database it is where `ui_command` will show it.
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
    ended: bool = False,
) -> TrackedSweep:
    """Bring MLflow up to what is measured. Doing it again changes nothing. One process at a time per sweep.

    Args:
        record: What the sweep asked for.
        curves: What it has measured so far.
        tracking_uri: A server's address or a database; `~` is the home folder.
        artifacts: Files for the parent run, by name.
        ended: No point will follow: a curve with points missing is then FAILED, not RUNNING.

    Raises:
        TrackingUnavailableError: MLflow cannot be reached or refuses; the store keeps everything.
    """
    uri = resolved(tracking_uri)
    with opened(uri) as client, _named_errors(uri):
        experiment = _Experiment.of(client, record, uri)
        parent = experiment.parent_run(record)
        for curve in curves:
            experiment.log_curve(record, curve, parent.info.run_id, ended=ended)
        experiment.log_files(parent, artifacts or {})
        experiment.set_status(parent, all(map(_complete, curves)), ended=ended)
        return TrackedSweep(
            experiment_id=experiment.id,
            parent_run_id=parent.info.run_id,
            address=ui_address(uri, experiment.id),
        )


@contextmanager
def _named_errors(uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise unavailable(uri, error) from error
