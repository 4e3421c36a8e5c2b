"""What a backend is: it takes attempts and gives back outcomes.

It decides nothing. What to run, when to retry and what to skip is decided by `orchestrator.scheduling.scheduler`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from jobs.outcome import Outcome
from jobs.task import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """What can run at once, over all machines.

    Attributes:
        cpus: CPU slots.
        gpus: GPUs.
        cluster: What tells this cluster from every other; empty where no other driver uses it.
    """

    cpus: float
    gpus: float
    cluster: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKind:
    """A kind of machine that is there, or that an autoscaler could start.

    Attributes:
        name: As the cluster names it.
        cpus: CPU slots of one machine.
        gpus: GPUs of one machine.
        memory_bytes: Memory of one machine that tasks may reserve; 0 where unknown, which any request fits.
        count: How many there are, or could be.
    """

    name: str
    cpus: float
    gpus: float
    memory_bytes: int = 0
    count: int = 1


class Backend(Protocol):
    """Runs attempts. Every attempt that is submitted comes back as exactly one outcome."""

    def slots(self) -> Slots:
        """What there is now."""

    def node_kinds(self) -> tuple[NodeKind, ...]:
        """What there is or could be started: a request that fits none of them would wait for ever."""

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts, in this order; returns at once."""

    def wait(self, timeout_s: float) -> list[Outcome]:
        """What has finished since the last call; waits for the first, but no longer than `timeout_s`.

        Where nothing is in flight, nothing can come: it waits all that time.
        """

    def cancel(self) -> None:
        """Stop everything by force: what waits never starts, what runs is killed; each comes back as CANCELLED.

        Asking politely is not the backend's: long stages poll the fence (`orchestrator.store.Fence`).
        """

    def close(self) -> None:
        """Stop what runs and let go of everything; a closed backend takes no more attempts."""
