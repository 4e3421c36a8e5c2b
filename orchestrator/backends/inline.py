"""Tasks one after the other in this process, so that breakpoints and tracebacks work."""

import os
from collections import deque

from jobs.artifact import Store
from jobs.outcome import Outcome
from jobs.task import Task
from orchestrator.backends.base import Slots
from orchestrator.surroundings import this_machine_has_gpu
from workers.entry import Provenance, run_task


class InlineBackend:
    """See `Backend`. A task runs inside `wait`.

    Args:
        store: Where the tasks read and commit.
        provenance: Goes into the manifests.
    """

    def __init__(self, store: Store, provenance: Provenance) -> None:
        self._store = store
        self._provenance = provenance
        self._waiting: deque[Task] = deque()

    def slots(self) -> Slots:
        """One task at a time, on whatever this machine has."""
        return Slots(cpus=float(os.cpu_count() or 1), gpus=float(this_machine_has_gpu()))

    def submit(self, task: Task) -> None:
        """Take a task."""
        self._waiting.append(task)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Run the task that waits longest, however long it takes."""
        if not self._waiting:
            return []
        return [run_task(self._waiting.popleft(), self._store, provenance=self._provenance)]

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
