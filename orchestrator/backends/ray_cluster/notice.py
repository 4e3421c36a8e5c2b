"""The notice that a worker is about to be taken away: SIGTERM, as clouds, Slurm and Ray's draining send it."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from jobs.outcome import Cause, Failed, Outcome

_log = logging.getLogger("orchard")


@contextmanager
def heed_notice() -> Iterator[Callable[[], bool]]:
    """While a task runs, SIGTERM does not end the process, but asks the task to save what it has and stop.

    Yields:
        Whether the notice has come.
    """
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # where no handler can be set
        yield told.is_set
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: told.set())
    try:
        yield told.is_set
    finally:
        signal.signal(signal.SIGTERM, before)


def handed_over(outcome: Outcome) -> Outcome:
    """The outcome of a task that stopped after the notice: lost with its worker, not cancelled."""
    if isinstance(outcome, Failed) and outcome.cause is Cause.CANCELLED:
        _log.info("the worker was told to end; %s is handed over", outcome.key)
        return replace(
            outcome, cause=Cause.PREEMPTED, message="its worker was told to end (SIGTERM); another one goes on"
        )
    return outcome
