"""Tasks one after the other in this process, so that breakpoints and tracebacks work."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence

from jobs.artifact import Store
from jobs.outcome import Cause, Failed, Outcome
from jobs.task import Attempt
from orchestrator.backends.base import NodeKind, Slots
from orchestrator.environment import this_machine_has_gpu
from workers.attempt.entry import Provenance, StageOf, run_task


class InlineBackend:
    """See `Backend`. A task runs inside `wait`.

    Args:
        store: Where the tasks read and commit.
        provenance: Goes into the manifests.
        should_stop: Polled by long stages.
        may_commit: Asked before a result is committed.
        stage_of: Which function runs a stage; default: those of `workers.stages`.
    """

    def __init__(
        self,
        store: Store,
        provenance: Provenance,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        may_commit: Callable[[], bool] = lambda: True,
        stage_of: StageOf | None = None,
    ) -> None:
        self._store = store
        self._provenance = provenance
        self._should_stop = should_stop
        self._may_commit = may_commit
        self._stage_of = stage_of
        self._waiting: deque[Attempt] = deque()
        self._cancelled: list[Outcome] = []

    def slots(self) -> Slots:
        """One task at a time, on whatever this machine has."""
        return Slots(cpus=float(os.cpu_count() or 1), gpus=float(this_machine_has_gpu()))

    def node_kinds(self) -> tuple[NodeKind, ...]:
        """This machine."""
        slots = self.slots()
        return (NodeKind(name="this machine", cpus=slots.cpus, gpus=slots.gpus),)

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts."""
        self._waiting.extend(attempts)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Run the task that waits longest, however long it takes."""
        if self._cancelled or not self._waiting:
            if not self._cancelled:
                time.sleep(timeout_s)
            cancelled, self._cancelled = self._cancelled, []
            return cancelled
        task = self._waiting.popleft().granted
        return [
            run_task(
                task,
                self._store,
                provenance=self._provenance,
                should_stop=self._should_stop,
                may_commit=self._may_commit,
                stage_of=self._stage_of,
            )
        ]

    def cancel(self) -> None:
        """Cancel what waits; nothing runs outside `wait`."""
        self._cancelled += [
            Failed(key=attempt.task.key, cause=Cause.CANCELLED, message="cancelled before it started")
            for attempt in self._waiting
        ]
        self._waiting.clear()

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
