"""Brings a running sweep's points to MLflow in the background, and everything at its end.

MLflow may be slow or away: the sweep does not wait for it, and what was not logged is logged by the next attempt.
"""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from jobs.outcome import Outcome, Succeeded
from jobs.task import StageKind
from orchestrator.machine import Machine
from orchestrator.report import report_files
from orchestrator.results import Curve, SweepRecord, collect
from orchestrator.store import ArtifactStore
from orchestrator.tracking import TrackedSweep, TrackingUnavailableError, log_sweep

_log = logging.getLogger("orchard")
_INTERVAL_S = 15.0


class Publisher:
    """One sweep's way from the store to MLflow.

    Args:
        record: The sweep.
        store: Where its points are.
        tracking_uri: MLflow's address.
    """

    def __init__(self, record: SweepRecord, store: ArtifactStore, tracking_uri: str) -> None:
        self._record = record
        self._store = store
        self._tracking_uri = tracking_uri
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")
        self._pending: Future[None] | None = None
        self._last = time.monotonic()
        self._new_points = False

    def update(self, machine: Machine, outcomes: Sequence[Outcome]) -> None:
        """Log new points in the background, not too often."""
        self._new_points |= any(
            isinstance(outcome, Succeeded) and machine.task(outcome.key).stage is StageKind.EVALUATE
            for outcome in outcomes
        )
        busy = self._pending is not None and not self._pending.done()
        if self._new_points and not busy and time.monotonic() - self._last >= _INTERVAL_S:
            self._new_points = False
            self._last = time.monotonic()
            self._pending = self._thread.submit(self._log_points)

    def finish(self) -> tuple[tuple[Curve, ...], TrackedSweep | None]:
        """Log everything that the store has, with figure, table and report; None where MLflow cannot be reached."""
        self._thread.shutdown(wait=True)
        curves = collect(self._record, self._store)
        try:
            tracked = log_sweep(
                self._record,
                curves,
                tracking_uri=self._tracking_uri,
                artifacts=report_files(self._record, curves),
                ended=True,
            )
        except TrackingUnavailableError as error:
            _log.warning("%s", error)
            return curves, None
        return curves, tracked

    def _log_points(self) -> None:
        try:
            log_sweep(self._record, collect(self._record, self._store), tracking_uri=self._tracking_uri)
        except TrackingUnavailableError as error:
            _log.info("%s", error)
