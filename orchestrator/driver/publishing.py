"""Logs a running sweep's points to MLflow in the background, and everything at its end.

MLflow may be slow or unavailable: the sweep does not wait for it, and missing points are logged by the next attempt.
"""

import logging
import threading
import time
from collections.abc import Sequence

from jobs.outcome import Outcome, Succeeded
from jobs.stages.table import StageKind
from orchestrator.planning import PlannedPoint
from orchestrator.report import areas_of_curves, collect_failures, collect_resources, report_files
from orchestrator.results import Curve, Point, SweepRecord, collect
from orchestrator.results.orders import collect_orders
from orchestrator.scheduling.scheduler import Scheduler
from orchestrator.store import ArtifactStore
from orchestrator.tracking import TrackedSweep, TrackingUnavailableError, log_sweep

_log = logging.getLogger("orchard")
_INTERVAL_S = 15.0
_SHARE = 0.1
"""Largest fraction of the time that the background thread may log: it competes with the driver for the CPU."""


_MEASURING = (StageKind.EVALUATE, StageKind.QUANTIZE, StageKind.TIME)


class Publisher:
    """An observer that logs one sweep's results from the store to MLflow.

    Attributes:
        record: The sweep.

    Args:
        record: The sweep.
        store: The sweep's store.
        tracking_uri: MLflow's tracking URI.
    """

    def __init__(self, record: SweepRecord, store: ArtifactStore, tracking_uri: str) -> None:
        self.record = record
        self._store = store
        self._tracking_uri = tracking_uri
        self._store_id = store.make_identity()
        self._points: dict[PlannedPoint, Point] = {}
        self._background: threading.Thread | None = None
        self._due_s = time.monotonic() + _INTERVAL_S
        self._new_points = False

    def update(self, scheduler: Scheduler, outcomes: Sequence[Outcome]) -> None:
        """Log new points in the background, if it is due."""
        self._new_points |= any(
            isinstance(outcome, Succeeded) and scheduler.task(outcome.key).stage in _MEASURING for outcome in outcomes
        )
        busy = self._background is not None and self._background.is_alive()
        if self._new_points and not busy and time.monotonic() >= self._due_s:
            self._new_points = False
            # A daemon thread does not delay a terminated driver; `orchard sync` completes the log.
            self._background = threading.Thread(target=self._log_points, name="mlflow", daemon=True)
            self._background.start()

    def wait(self) -> None:
        """Wait until the background thread has finished."""
        if self._background is not None:
            self._background.join()

    def finish(self) -> tuple[tuple[Curve, ...], TrackedSweep | None]:
        """Log everything that the store has, with figure, tables and report; None where MLflow cannot be reached."""
        self.wait()
        curves = collect(self.record, self._store, self._points)
        try:
            resources = collect_resources(curves, self._store)
            lost = collect_failures(self.record, curves, self._store)
            tracked = log_sweep(
                self.record,
                curves,
                tracking_uri=self._tracking_uri,
                store_id=self._store_id,
                artifacts=report_files(self.record, curves, collect_orders(curves, self._store), resources, lost),
                areas=areas_of_curves(curves),
                resources=resources,
                ended=True,
            )
        except TrackingUnavailableError as error:
            _log.warning("%s", error)
            return curves, None
        return curves, tracked

    def _log_points(self) -> None:
        started_s = time.monotonic()
        try:
            curves = collect(self.record, self._store, self._points)
            log_sweep(self.record, curves, tracking_uri=self._tracking_uri, store_id=self._store_id)
        except TrackingUnavailableError as error:
            _log.info("%s", error)
        finally:
            ended_s = time.monotonic()
            self._due_s = ended_s + max(_INTERVAL_S, (ended_s - started_s) * (1 - _SHARE) / _SHARE)
