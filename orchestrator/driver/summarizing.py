"""An observer that has the journal of a long run summarised on its way, so that `orchard status` stays quick."""

from collections.abc import Sequence
from contextlib import suppress

from jobs.errors import OrchardError
from jobs.outcome import Outcome
from orchestrator.scheduling.scheduler import Scheduler
from orchestrator.status import read_history
from orchestrator.status.reading import LINES_BEYOND
from orchestrator.store import Files


class Summarizer:
    """Summarises a sweep's journal whenever enough attempts have ended.

    Args:
        files: The files of the store.
        sweep: The sweep's name.
    """

    def __init__(self, files: Files, sweep: str) -> None:
        self._files = files
        self._sweep = sweep
        self._ended = 0

    def update(self, scheduler: Scheduler, outcomes: Sequence[Outcome]) -> None:
        """Count what has ended, and read the journal if it is due; that writes the summary."""
        self._ended += len(outcomes)
        if self._ended >= LINES_BEYOND:
            self._ended = 0
            with suppress(OSError, OrchardError):  # the store may not answer for a moment; the next time will do
                read_history(self._files, self._sweep)
