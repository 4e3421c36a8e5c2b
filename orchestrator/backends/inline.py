"""Runs tasks one after the other in this process, so that breakpoints and tracebacks work."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence

from jobs.artifact import Store
from jobs.errors import StoppedError
from jobs.outcome import Cause, Failed, Outcome
from jobs.task import Attempt
from orchestrator.backends.base import NodeKind, Slots
from orchestrator.environment import gpus_of_this_machine
from workers.attempt.entry import Provenance, StageOf, run_task


class InlineBackend:
    """See `Backend`. A task runs inside `wait`.

    Args:
        store: The store that the tasks read from and commit to.
        provenance: Recorded in the manifests.
        should_stop: Polled by long stages.
        may_commit: Asked before a result is committed.
        stage_of: The function that runs a stage; default: those of `workers.stages`.
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
        self._broken = ""

    def slots(self) -> Slots:
        """This machine's CPUs and GPUs; one task runs at a time."""
        return Slots(cpus=float(os.cpu_count() or 1), gpus=float(gpus_of_this_machine()), at_once=1)

    def node_kinds(self) -> tuple[NodeKind, ...]:
        """This machine."""
        slots = self.slots()
        return (NodeKind(name="this machine", cpus=slots.cpus, gpus=slots.gpus),)

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Queue attempts."""
        self._waiting.extend(attempts)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Run the oldest queued task to its end, whatever `timeout_s`.

        Raises:
            StoppedError: A task before it had an error that stays with this process.
        """
        if self._cancelled or not self._waiting:
            if not self._cancelled:
                time.sleep(timeout_s)
            cancelled, self._cancelled = self._cancelled, []
            return cancelled
        if self._broken:
            raise StoppedError(
                f"the GPU failed in this process ({self._broken}), which can compute nothing more on it; the same "
                "command goes on in a new one. Where one task always breaks it, leave that out, or use --backend ray, "
                "where each such task costs one process"
            )
        outcome = run_task(
            self._waiting.popleft().granted,
            self._store,
            provenance=self._provenance,
            should_stop=self._should_stop,
            may_commit=self._may_commit,
            stage_of=self._stage_of,
        )
        if isinstance(outcome, Failed) and outcome.sticky:
            self._broken = outcome.message
        return [outcome]

    def cancel(self) -> None:
        """Cancel queued attempts; nothing runs outside `wait`."""
        self._cancelled += [
            Failed(key=attempt.task.key, cause=Cause.CANCELLED, message="cancelled before it started")
            for attempt in self._waiting
        ]
        self._waiting.clear()

    def close(self) -> None:
        """Drop queued attempts."""
        self._waiting.clear()
