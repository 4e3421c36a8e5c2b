"""Leases: one driver at a time per sweep, and a fence for the workers of a former driver.

The driver that creates the file of the next term has the lease; the previous holder has lost it, even if it does not
know yet. Safety needs no clocks: they only decide when the lease of a silent holder may be taken over.
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
    read_lease,
)

_POLL_S = 0.5
_ASK_INTERVAL_S = 1.0


class LeaseHeldError(OrchardError):
    """Another live driver has the lease of the sweep."""


class LeaseState(StrEnum):
    """The state of a lease."""

    HELD = "held"
    CANCELLED = "cancelled"
    """Held, and a user has requested a stop."""
    LOST = "lost"
    """Another driver has taken over, or the store could not be reached for too long. Final."""


class Lease:
    """This process's lease on a sweep. Create it with `acquire`; a context manager that releases it at the end."""

    def __init__(self, files: Files, record: LeaseRecord, clock: Callable[[], float]) -> None:
        self._files = files
        self._record = record
        self._clock = clock
        self._answered_s = self._beaten_s = clock()
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
        """Acquire the lease of a sweep, waiting until a silent holder is known to be dead.

        Args:
            files: The files of the store.
            sweep: The sweep's name.
            ttl_s: Time to live: after this long without a heartbeat other drivers may take over, and after this long
                without an answer from the store this holder gives up.
            clock: A monotonic clock, in seconds.
            sleep: Waits.

        Raises:
            LeaseHeldError: Another driver has it, and renewed it within its time to live.
            BadInputError: The store cannot be written, or does not support exclusive creation.
        """
        files.check()
        watch = Watch(clock)
        first: LeaseRecord | None = None
        while True:
            newest, _ = newest_term(files, sweep)
            if newest is not None:
                held = read_lease(files, newest)
                first = first or held
                if watch.alive(held) and not has_ended(held):
                    if held != first:
                        raise LeaseHeldError(_held_by(held, files))
                    sleep(min(_POLL_S, held.ttl_s / 4))
                    continue
            term = LeaseTerm(sweep=sweep, number=newest.number + 1 if newest else 1)
            record = _new_record(term, ttl_s)
            # A request whose response was lost may already have created the file: then it names this holder.
            if files.create(term.path, record.to_bytes()) or read_lease(files, term) == record:
                return cls(files, record, clock)

    @property
    def term(self) -> LeaseTerm:
        """The lease term, which workers check before they commit."""
        return self._record.term

    @property
    def ttl_s(self) -> float:
        """Time to live, in seconds."""
        return self._record.ttl_s

    @property
    def beaten_s(self) -> float:
        """When the last heartbeat began that could be written, by the lease's clock."""
        return self._beaten_s

    def renew(self, **info: Json) -> LeaseState:
        """Write a heartbeat and return the state of the lease. Call it every few seconds.

        Args:
            info: Published to other drivers on the cluster.
        """
        if self._lost:
            return LeaseState.LOST
        cancelled = False
        try:
            newest, cancelled = newest_term(self._files, self.term.sweep)
            self._answered_s = self._clock()
            self._lost = newest != self.term
        except (OSError, OrchardError):
            self._lost = self._clock() - self._answered_s > self._record.ttl_s
        if self._lost:
            return LeaseState.LOST
        self._record = replace(self._record, beat=self._record.beat + 1, info=info)
        began_s = self._clock()
        # On a full disk the heartbeat fails; if another driver takes over because of that, the next call returns LOST.
        with suppress(OSError, OrchardError):
            self._files.replace(self.term.path, self._record.to_bytes())
            self._beaten_s = began_s
        return LeaseState.CANCELLED if cancelled else LeaseState.HELD

    def release(self) -> None:
        """Release the lease, so that others can acquire it at once; does nothing if it is lost."""
        with suppress(OSError):  # then others wait for its time to live
            if not self._lost and newest_term(self._files, self.term.sweep)[0] == self.term:
                self._files.replace(self.term.path, replace(self._record, released=True).to_bytes())
        self._lost = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Fence:
    """The workers' side of a lease: rejects commits of tasks whose driver has lost it.

    Args:
        files: The files of the store.
        term: The driver's lease term when the task was submitted.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, files: Files, term: LeaseTerm, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._term = term
        self._clock = clock
        self._asked_s = float("-inf")
        self._stop = False

    def should_stop(self) -> bool:
        """Whether to stop: cancelled by a user, or the lease is lost. Reads the store at most once a second."""
        if not self._stop and self._clock() - self._asked_s >= _ASK_INTERVAL_S:
            with suppress(OSError):  # a store that is unavailable for a moment must not discard work
                newest, cancelled = newest_term(self._files, self._term.sweep)
                self._stop = cancelled or newest != self._term
            self._asked_s = self._clock()
        return self._stop

    def may_commit(self) -> bool:
        """Whether results of this term may still be committed. Reads the store each time.

        Raises:
            OSError: The store does not answer.
        """
        return newest_term(self._files, self._term.sweep)[0] == self._term


def cancel(files: Files, sweep: str) -> LeaseRecord | None:
    """Ask the driver of a sweep to stop; returns its lease record, or None where no driver has the lease."""
    newest, _ = newest_term(files, sweep)
    if newest is None:
        return None
    record = read_lease(files, newest)
    if record.released:
        return None
    files.replace(newest.cancel_path, b"")
    return record


def live_leases(
    files: Files, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> list[LeaseRecord]:
    """The leases of live drivers, of all sweeps. A silent one is watched for its time to live.

    Args:
        files: The files of the store.
        clock: A monotonic clock, in seconds.
        sleep: Waits.
    """
    watch = Watch(clock)
    alive = []
    unknown = [record for record in active_leases(files) if not has_ended(record)]
    while unknown:
        now = [(first, read_lease(files, first.term)) for first in unknown]
        alive += [latest for first, latest in now if latest != first and not latest.released]
        unknown = [first for first, latest in now if latest == first and watch.alive(latest)]
        if unknown:
            sleep(_POLL_S)
    return alive


def _new_record(term: LeaseTerm, ttl_s: float) -> LeaseRecord:
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
    """A unique identity of a live process on this machine: boot, process namespace, pid, start time."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{boot} {os.readlink('/proc/self/ns/pid')} {pid} {started}"
    except (OSError, IndexError):
        return ""


def has_ended(record: LeaseRecord) -> bool:
    """Whether the holder's process ran on this machine and has ended; False where that is unknown."""
    here = _process(os.getpid()).split()[:2]
    return bool(here) and record.process.split()[:2] == here and _process(record.pid) != record.process


def _held_by(record: LeaseRecord, files: Files) -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(record.since_s))
    sweep = record.term.sweep
    return (
        f"{files.uri}: sweep '{sweep}' is being run by process {record.pid} on {record.host} since {since}; wait for "
        f"it, stop it with `orchard cancel {sweep} --storage {files.uri}`, or end that process"
    )
