"""Keeps a running scheduler to its part of the cluster, and stops it when it has to stop.

An observer of `driver.run`. How much may be in flight is decided here; by what share, in `scheduling.sharing`.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from jobs.outcome import Outcome
from orchestrator.backends import Backend, NodeKind, Slots
from orchestrator.driver.lease import DriverLease
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.scheduling.sharing import shares

_LOOK_INTERVAL_S = 5.0
_LEAST_IN_FLIGHT: Mapping[Lane, float] = {Lane.CPU: 8.0, Lane.GPU: 2.0}


def capacity(slots: Slots, kinds: Sequence[NodeKind]) -> dict[Lane, float]:
    """Slots per lane that there are, or that could be started: an autoscaler starts what is asked for."""
    return {
        Lane.CPU: max(slots.cpus, sum(kind.cpus * kind.count for kind in kinds)),
        Lane.GPU: max(slots.gpus, sum(kind.gpus * kind.count for kind in kinds)),
    }


def in_flight_limits(capacity: Mapping[Lane, float]) -> dict[Lane, float]:
    """Twice the slots, so that no worker waits for the driver."""
    return {lane: max(_LEAST_IN_FLIGHT[lane], 2 * slots) for lane, slots in capacity.items()}


class Steering:
    """See the module.

    Args:
        hold: The driver's hold on the sweep.
        backend: What the tasks run on.
        clock: Seconds that never go back.
    """

    def __init__(self, hold: DriverLease, backend: Backend, clock: Callable[[], float] = time.monotonic) -> None:
        self._hold = hold
        self._backend = backend
        self._clock = clock
        self._looked_s = float("-inf")
        self._capacity: dict[Lane, float] = {}
        self._asked = self._forced = False

    def update(self, scheduler: Scheduler, outcomes: Sequence[Outcome]) -> None:
        """Set the machine's limits, and stop it where somebody asked for that."""
        if self._hold.should_stop():
            self._stop(scheduler)
            return
        if self._clock() - self._looked_s >= _LOOK_INTERVAL_S:
            self._looked_s = self._clock()
            slots = self._backend.slots()
            self._capacity = capacity(slots, self._backend.node_kinds())
            self._hold.tell(cluster=slots.cluster, demand={lane.value: scheduler.demand[lane] for lane in Lane})
            scheduler.limits = self._limits()

    def _limits(self) -> dict[Lane, float]:
        limits = in_flight_limits(self._capacity)
        for lane in Lane:
            claims = self._hold.claims(lane.value)
            if len(claims) > 1:
                limits[lane] = min(limits[lane], shares(self._capacity[lane], claims)[claims[0].sweep])
        return limits

    def _stop(self, scheduler: Scheduler) -> None:
        scheduler.stop(self._hold.reason)
        if not self._asked and not self._hold.lost:
            self._hold.ask_tasks_to_stop()
        self._asked = True
        if self._hold.overdue() and not self._forced:
            self._forced = True
            self._backend.cancel()
