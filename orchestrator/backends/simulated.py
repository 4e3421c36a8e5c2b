"""A cluster that takes no time: durations and outcomes are given, the clock is virtual.

For tests of scheduling, and to see how long a sweep would take on machines that are not there.
"""

import heapq
from collections import deque
from collections.abc import Callable

from jobs.outcome import Outcome
from jobs.task import Task
from orchestrator.backends.base import Slots


class SimulatedBackend:
    """See `Backend`. Tasks start in the order of submission as slots come free.

    Args:
        slots: What the pretended cluster has.
        duration_s: How long a task takes, in virtual seconds.
        outcome: What comes of a task.

    Attributes:
        now_s: The virtual clock; `wait` moves it to the next end of a task.
    """

    def __init__(
        self, slots: Slots, *, duration_s: Callable[[Task], float], outcome: Callable[[Task], Outcome]
    ) -> None:
        self._slots = slots
        self._duration_s = duration_s
        self._outcome = outcome
        self._free_cpus, self._free_gpus = slots.cpus, slots.gpus
        self._waiting: deque[Task] = deque()
        self._running: list[tuple[float, int, Task]] = []
        self._started = 0
        self.now_s = 0.0

    def slots(self) -> Slots:
        """What the pretended cluster has."""
        return self._slots

    def submit(self, task: Task) -> None:
        """Take a task.

        Raises:
            ValueError: It asks for more than the whole cluster has, and would wait for ever.
        """
        if task.resources.num_cpus > self._slots.cpus or task.resources.num_gpus > self._slots.gpus:
            raise ValueError(f"{task.label}: asks for {task.resources}, the simulated cluster has {self._slots}")
        self._waiting.append(task)
        self._start_what_fits()

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Move the clock to the next end of a task; gives everything that ends then."""
        if not self._running or self._running[0][0] > self.now_s + timeout_s:
            self.now_s += timeout_s
            return []
        self.now_s = self._running[0][0]
        ended = []
        while self._running and self._running[0][0] == self.now_s:
            task = heapq.heappop(self._running)[-1]
            self._free_cpus += task.resources.num_cpus
            self._free_gpus += task.resources.num_gpus
            ended.append(self._outcome(task))
        self._start_what_fits()
        return ended

    def close(self) -> None:
        """Forget what waits and runs."""
        self._waiting.clear()
        self._running.clear()

    def _start_what_fits(self) -> None:
        later: deque[Task] = deque()
        while self._waiting:
            task = self._waiting.popleft()
            cpus, gpus = task.resources.num_cpus, task.resources.num_gpus
            if cpus > self._free_cpus or gpus > self._free_gpus:
                later.append(task)
                continue
            self._free_cpus, self._free_gpus = self._free_cpus - cpus, self._free_gpus - gpus
            self._started += 1
            heapq.heappush(self._running, (self.now_s + self._duration_s(task), self._started, task))
        self._waiting = later
