"""The protocol of backends: they run attempts and return outcomes.

What to run, when to retry and what to skip is decided by `orchestrator.scheduling.scheduler`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from jobs.outcome import Outcome
from jobs.task import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The capacity of a backend, over all machines.

    Attributes:
        cpus: CPU slots.
        gpus: GPUs.
        cluster: A name that identifies the cluster; empty where no other driver uses it.
        at_once: How many tasks run at once, whatever they ask for; None: as many as fit.
    """

    cpus: float
    gpus: float
    cluster: str = ""
    at_once: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKind:
    """A kind of machine that is running, or that an autoscaler could start.

    Attributes:
        name: The cluster's name for it.
        cpus: CPU slots of one machine.
        gpus: GPUs of one machine.
        memory_bytes: Memory of one machine that tasks may reserve; 0 where unknown, which any request fits.
        count: How many are running or could be started.
    """

    name: str
    cpus: float
    gpus: float
    memory_bytes: int = 0
    count: int = 1


class Backend(Protocol):
    """Runs attempts. Every attempt that is submitted comes back as exactly one outcome."""

    def slots(self) -> Slots:
        """The current capacity."""

    def node_kinds(self) -> tuple[NodeKind, ...]:
        """The machines that are running or could be started: a request that fits none of them would wait for ever."""

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Queue attempts, in this order; returns at once."""

    def wait(self, timeout_s: float) -> list[Outcome]:
        """The outcomes since the last call; waits for the first one, at most `timeout_s`.

        With nothing in flight it sleeps for `timeout_s`.
        """

    def cancel(self) -> None:
        """Kill running attempts and drop queued ones; each comes back as CANCELLED.

        For a graceful stop, long stages poll the fence (`orchestrator.store.Fence`).
        """

    def close(self) -> None:
        """Stop running attempts and release all resources; a closed backend accepts no more attempts."""
