"""One driver at a time for a sweep: leases, and the fence by which the workers of a former driver notice.

Whoever creates the file of the next term holds the sweep, and the holder before it has lost, whatever it believes. So
safety needs no clocks; they only say when a silent holder may be followed. Knows nothing of tasks.
"""

import os
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from jobs.errors import OrchardError
from jobs.identity import Json
from orchestrator.store.files import Files
from orchestrator.store.terms import (
    LEASE_TTL_S,
    LeaseRecord,
    LeaseTerm,
    Watch,
    active_leases,
    newest_term,
    read_holding,
)

_POLL_S = 0.5
_ASK_INTERVAL_S = 1.0


class LeaseHeldError(OrchardError):
    """Another driver that is alive holds the sweep."""


class Standing(StrEnum):
    """How a lease stands."""

    HELD = "held"
    CANCELLED = "cancelled"
    """Held, and a user has asked to stop."""
    LOST = "lost"
    """Another driver has followed, or the store could not be reached for too long. It never comes back."""


class Lease:
    """This process's hold on a sweep. Get one by `acquire`; as a context it is released at the end."""

    def __init__(self, files: Files, holding: LeaseRecord, clock: Callable[[], float]) -> None:
        self._files = files
        self._holding = holding
        self._clock = clock
        self._answered_s = clock()
        self._lost = False

    @classmethod
    def acquire(
        cls,
        files: Files,
        sweep: str,
        *,
        ttl_s: float = LEASE_TTL_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> "Lease":
        """Take a sweep, at once where nobody holds it, else as soon as its holder is found to be gone.

        Args:
            files: Where the store keeps its files.
            sweep: The sweep's name.
            ttl_s: After so long without a heartbeat others may follow, and without an answer of the store this holder
                gives up.
            clock: Seconds that never go back.
            sleep: Waits.

        Raises:
            LeaseHeldError: Another driver holds it, and showed within its time to live that it is alive.
            BadInputError: The store cannot be written, or does not let the first writer win.
        """
        files.check()
        watch = Watch(clock)
        first: LeaseRecord | None = None
        while True:
            newest, _ = newest_term(files, sweep)
            if newest is not None:
                held = read_holding(files, newest)
                first = first or held
                if watch.alive(held) and not has_ended(held):
                    if held != first:
                        raise LeaseHeldError(_held_by(held, files))
                    sleep(min(_POLL_S, held.ttl_s / 4))
                    continue
            term = LeaseTerm(sweep=sweep, number=newest.number + 1 if newest else 1)
            holding = _new_holding(term, ttl_s)
            # The file may be there by a first request whose answer was lost: then it names this very holder.
            if files.create(term.path, holding.to_bytes()) or read_holding(files, term) == holding:
                return cls(files, holding, clock)

    @property
    def term(self) -> LeaseTerm:
        """What the workers need to know of it."""
        return self._holding.term

    def renew(self, **info: Json) -> Standing:
        """Show that this driver lives, and learn how the lease stands. To be called every few seconds.

        Args:
            info: What other drivers on the cluster should know of this one.
        """
        if self._lost:
            return Standing.LOST
        cancelled = False
        try:
            newest, cancelled = newest_term(self._files, self.term.sweep)
            self._answered_s = self._clock()
            self._lost = newest != self.term
        except (OSError, OrchardError):
            self._lost = self._clock() - self._answered_s > self._holding.ttl_s
        if self._lost:
            return Standing.LOST
        self._holding = replace(self._holding, beat=self._holding.beat + 1, info=info)
        # A full disk keeps the heartbeat from being seen; if that makes another follow, the next call tells.
        with suppress(OSError, OrchardError):
            self._files.replace(self.term.path, self._holding.to_bytes())
        return Standing.CANCELLED if cancelled else Standing.HELD

    def release(self) -> None:
        """Let others follow at once; nothing happens where the lease is lost."""
        with suppress(OSError):  # then they wait for its time to live
            if not self._lost and newest_term(self._files, self.term.sweep)[0] == self.term:
                self._files.replace(self.term.path, replace(self._holding, released=True).to_bytes())
        self._lost = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Fence:
    """The workers' side of a lease.

    Args:
        files: Where the store keeps its files.
        term: The term in which the task was handed out.
        clock: Seconds that never go back.
    """

    def __init__(self, files: Files, term: LeaseTerm, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._term = term
        self._clock = clock
        self._asked_s = float("-inf")
        self._stop = False

    def should_stop(self) -> bool:
        """Whether to stop: a user asked for it, or another driver has followed. Asks the store once a second."""
        if not self._stop and self._clock() - self._asked_s >= _ASK_INTERVAL_S:
            with suppress(OSError):  # a store that is away for a moment is no reason to throw work away
                newest, cancelled = newest_term(self._files, self._term.sweep)
                self._stop = cancelled or newest != self._term
            self._asked_s = self._clock()
        return self._stop

    def may_commit(self) -> bool:
        """Whether results of this term still count. Asks the store each time.

        Raises:
            OSError: The store does not answer.
        """
        return newest_term(self._files, self._term.sweep)[0] == self._term


def cancel(files: Files, sweep: str) -> LeaseRecord | None:
    """Ask the holder of a sweep to stop; it, or None where no driver holds the sweep."""
    newest, _ = newest_term(files, sweep)
    if newest is None:
        return None
    holding = read_holding(files, newest)
    if holding.released:
        return None
    files.replace(newest.cancel_path, b"")
    return holding


def living(
    files: Files, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> list[LeaseRecord]:
    """The holders that are alive, of all sweeps. A silent one is watched for its time to live.

    Args:
        files: Where the store keeps its files.
        clock: Seconds that never go back.
        sleep: Waits.
    """
    watch = Watch(clock)
    alive = []
    unknown = [holding for holding in active_leases(files) if not has_ended(holding)]
    while unknown:
        now = [(first, read_holding(files, first.term)) for first in unknown]
        alive += [latest for first, latest in now if latest != first and not latest.released]
        unknown = [first for first, latest in now if latest == first and watch.alive(latest)]
        if unknown:
            sleep(_POLL_S)
    return alive


def _new_holding(term: LeaseTerm, ttl_s: float) -> LeaseRecord:
    pid = os.getpid()
    return LeaseRecord(
        term=term,
        owner=uuid.uuid4().hex,
        host=socket.gethostname(),
        pid=pid,
        process=_process(pid),
        since_s=round(time.time(), 3),
        ttl_s=ttl_s,
    )


def _process(pid: int) -> str:
    """What tells a live process of this machine from every other one: boot, process namespace, start time."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{boot} {os.readlink('/proc/self/ns/pid')} {pid} {started}"
    except (OSError, IndexError):
        return ""


def has_ended(holding: LeaseRecord) -> bool:
    """Whether its process ran on this machine and is gone; False where that cannot be known."""
    here = _process(os.getpid()).split()[:2]
    return bool(here) and holding.process.split()[:2] == here and _process(holding.pid) != holding.process


def _held_by(holding: LeaseRecord, files: Files) -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(holding.since_s))
    sweep = holding.term.sweep
    return (
        f"{files.uri}: sweep '{sweep}' is being run by process {holding.pid} on {holding.host} since {since}; wait for "
        f"it, stop it with `orchard cancel {sweep} --storage {files.uri}`, or end that process"
    )
