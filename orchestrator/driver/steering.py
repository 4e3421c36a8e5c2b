"""An observer that sets the scheduler's in-flight limits, and stops it on request.

The sweep's share of the cluster is computed in `scheduling.sharing`.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from jobs.outcome import Cause, Failed, Outcome
from orchestrator.backends import Backend, NodeKind, Slots
from orchestrator.driver.lease import DriverLease
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.scheduling.sharing import shares

_UPDATE_INTERVAL_S = 5.0
_LEAST_IN_FLIGHT: Mapping[Lane, float] = {Lane.CPU: 8.0, Lane.GPU: 2.0}


def capacity(slots: Slots, kinds: Sequence[NodeKind]) -> dict[Lane, float]:
    """Slots per lane, including those that an autoscaler could start."""
    return {
        Lane.CPU: max(slots.cpus, sum(kind.cpus * kind.count for kind in kinds)),
        Lane.GPU: max(slots.gpus, sum(kind.gpus * kind.count for kind in kinds)),
    }


def in_flight_limits(slots: Slots, kinds: Sequence[NodeKind]) -> dict[Lane, float]:
    """In-flight limits: twice the slots, so that no worker waits for the driver.

    Where a driver runs its tasks itself nobody could wait, and what it had claimed ahead no other driver could take: as
    many as run at once.
    """
    if slots.at_once is not None:
        return dict.fromkeys(Lane, float(slots.at_once))
    return {lane: max(_LEAST_IN_FLIGHT[lane], 2 * each) for lane, each in capacity(slots, kinds).items()}


class Steering:
    """Sets the scheduler's limits and stops it.

    Args:
        lease: The driver's lease on the sweep.
        backend: The backend that runs the tasks.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, lease: DriverLease, backend: Backend, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease = lease
        self._backend = backend
        self._clock = clock
        self._updated_s = float("-inf")
        self._asked = self._forced = False

    def update(self, scheduler: Scheduler, outcomes: Sequence[Outcome]) -> None:
        """Set the scheduler's limits, and stop it if that was requested."""
        if not self._lease.should_stop() and any(map(_was_cancelled, outcomes)):
            # Tasks look every second whether to stop, the driver with its heartbeats: they may know it first.
            self._lease.look()
            scheduler.stop(self._lease.reason or "its tasks were asked to stop")
        if self._lease.should_stop():
            self._stop(scheduler)
            return
        if self._clock() - self._updated_s >= _UPDATE_INTERVAL_S:
            self._updated_s = self._clock()
            slots, kinds = self._backend.slots(), self._backend.node_kinds()
            self._lease.tell(cluster=slots.cluster, demand={lane.value: scheduler.demand[lane] for lane in Lane})
            scheduler.limits = self._limits(slots, kinds)

    def _limits(self, slots: Slots, kinds: Sequence[NodeKind]) -> dict[Lane, float]:
        limits = in_flight_limits(slots, kinds)
        for lane, available in capacity(slots, kinds).items():
            claims = self._lease.claims(lane.value)
            if len(claims) > 1:
                limits[lane] = min(limits[lane], shares(available, claims)[claims[0].sweep])
        return limits

    def _stop(self, scheduler: Scheduler) -> None:
        scheduler.stop(self._lease.reason)
        if not self._asked and not self._lease.lost:
            self._lease.ask_tasks_to_stop()
        self._asked = True
        if self._lease.overdue() and not self._forced:
            self._forced = True
            self._backend.cancel()


def _was_cancelled(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.cause is Cause.CANCELLED
