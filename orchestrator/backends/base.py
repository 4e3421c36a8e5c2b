"""What a backend is: it takes tasks and gives back outcomes.

It decides nothing. What to run, when to retry and what to skip is decided by `orchestrator.machine`.
"""

from dataclasses import dataclass
from typing import Protocol

from jobs.outcome import Outcome
from jobs.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """What can run at once, over all machines."""

    cpus: float
    gpus: float


class Backend(Protocol):
    """Runs tasks. Every task that is submitted comes back as exactly one outcome."""

    def slots(self) -> Slots:
        """What there is now."""

    def submit(self, task: Task) -> None:
        """Take a task; returns at once."""

    def wait(self, timeout_s: float) -> list[Outcome]:
        """What has finished since the last call; waits for the first, but no longer than `timeout_s`."""

    def close(self) -> None:
        """Stop what runs and let go of everything; a closed backend takes no more tasks."""
