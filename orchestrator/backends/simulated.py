"""A simulated cluster with a virtual clock: durations and outcomes are given.

For tests of scheduling, and to predict how long a sweep would take on a cluster.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence

from jobs.outcome import Cause, Failed, Outcome
from jobs.resources import Resources
from jobs.task import Attempt
from orchestrator.backends.base import NodeKind, Slots


class SimulatedBackend:
    """See `Backend`. Attempts of equal requests start in the order of submission as slots become free.

    Args:
        slots: The capacity of the simulated cluster.
        duration_s: How long an attempt takes, in virtual seconds.
        outcome: The outcome of an attempt.

    Attributes:
        now_s: The virtual clock; `wait` advances it to the next end of an attempt.
    """

    def __init__(
        self, slots: Slots, *, duration_s: Callable[[Attempt], float], outcome: Callable[[Attempt], Outcome]
    ) -> None:
        self._slots = slots
        self._duration_s = duration_s
        self._outcome = outcome
        self._free_cpus, self._free_gpus = slots.cpus, slots.gpus
        # One queue per request: scanning all queued attempts at every end would make n attempts cost n^2.
        self._waiting: dict[Resources, deque[tuple[int, Attempt]]] = {}
        self._running: list[tuple[float, int, Attempt]] = []
        self._cancelled: list[Outcome] = []
        self._count = 0
        self.now_s = 0.0

    def slots(self) -> Slots:
        """The capacity of the simulated cluster."""
        return self._slots

    def node_kinds(self) -> tuple[NodeKind, ...]:
        """One machine with the whole capacity."""
        return (NodeKind(name="simulated", cpus=self._slots.cpus, gpus=self._slots.gpus),)

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Queue attempts and start those that fit.

        Raises:
            ValueError: A request exceeds the whole cluster and would wait for ever.
        """
        for attempt in attempts:
            asked = attempt.resources
            if asked.num_cpus > self._slots.cpus or asked.num_gpus > self._slots.gpus:
                raise ValueError(f"{attempt.task.label}: asks for {asked}, the simulated cluster has {self._slots}")
            self._count += 1
            self._waiting.setdefault(asked, deque()).append((self._count, attempt))
        self._start_fitting()

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Advance the clock to the next end of an attempt; returns all outcomes at that time."""
        if self._cancelled:
            cancelled, self._cancelled = self._cancelled, []
            return cancelled
        if not self._running or self._running[0][0] > self.now_s + timeout_s:
            self.now_s += timeout_s
            return []
        self.now_s = self._running[0][0]
        ended = []
        while self._running and self._running[0][0] == self.now_s:
            attempt = heapq.heappop(self._running)[-1]
            self._free_cpus += attempt.resources.num_cpus
            self._free_gpus += attempt.resources.num_gpus
            ended.append(self._outcome(attempt))
        self._start_fitting()
        return ended

    def cancel(self) -> None:
        """Cancel queued and running attempts."""
        waiting = [attempt for queue in self._waiting.values() for _, attempt in queue]
        stopped = [*waiting, *(attempt for *_, attempt in self._running)]
        self._cancelled += [
            Failed(key=attempt.task.key, cause=Cause.CANCELLED, message="cancelled") for attempt in stopped
        ]
        self.close()
        self._free_cpus, self._free_gpus = self._slots.cpus, self._slots.gpus

    def close(self) -> None:
        """Drop queued and running attempts."""
        self._waiting.clear()
        self._running.clear()

    def _start_fitting(self) -> None:
        while fitting := [queue for asked, queue in self._waiting.items() if queue and self._fits(asked)]:
            _, attempt = min(fitting, key=lambda queue: queue[0][0]).popleft()
            self._free_cpus -= attempt.resources.num_cpus
            self._free_gpus -= attempt.resources.num_gpus
            self._count += 1
            heapq.heappush(self._running, (self.now_s + self._duration_s(attempt), self._count, attempt))

    def _fits(self, asked: Resources) -> bool:
        return asked.num_cpus <= self._free_cpus and asked.num_gpus <= self._free_gpus
