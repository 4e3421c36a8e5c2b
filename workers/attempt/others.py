"""The further processes of a training, seen from the one that started them: what they report, and that none is missed.

Those on other machines are reached through `Elsewhere`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import Empty, Queue
from typing import TYPE_CHECKING, Protocol

from jobs.errors import OrchardError
from jobs.outcome import Cause
from workers.attempt.failures import Diagnosis, LostProcessError

if TYPE_CHECKING:
    import torch

    from workers.parallel import Place, Processes

Join = Callable[["torch.device"], AbstractContextManager["Processes"]]
"""Joins the others, from the device that this process computes on; it waits until all are there."""

Follow = Callable[[int, Join], None]
"""What a further process does, given its number; it is pickled."""

_GRACE_S = 2.0
"""How long the failure of another process may take to be known here, after it has disturbed this one."""

POLL_S = 0.5
"""How often other machines are asked after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The last message of a process; `at_s` is in seconds since the epoch."""

    diagnosis: Diagnosis
    trace: str
    at_s: float


class Elsewhere(Protocol):
    """The further machines of a task that trains on several. Whoever runs tasks there starts their processes."""

    @property
    def host(self) -> str:
        """The address of this machine, as the others reach it."""

    def start(self, place: Place, follow: Follow) -> None:
        """Have every other machine `accompany` this one, with its share of the processes; returns at once."""

    def lost(self, timeout_s: float) -> LostProcessError | None:
        """Why a machine was lost, or its processes failed; waits for the first one that is, at most `timeout_s`."""

    def end(self) -> None:
        """End what is left of them."""


class Others:
    """Processes that this one has started, and what they report.

    Args:
        size: How many there are on all machines, with the first one.
        processes: The processes by their numbers.
        reports: From each of them: None when it is ready to join, and a `Failure`.
    """

    def __init__(self, size: int, processes: Mapping[int, BaseProcess], reports: Sequence[Connection]) -> None:
        self._size, self._processes = size, processes
        self._reports = dict(zip(processes, reports, strict=True))
        self._ready: set[int] = set()
        self._failures: dict[int, Failure] = {}
        self._over = threading.Event()
        self._lost_elsewhere: Queue[LostProcessError] | None = None

    def await_ready(self) -> None:
        """Wait until all of them are about to join.

        Raises:
            LostProcessError: One has failed.
        """
        while self._ready != self._processes.keys():
            wait([*self._reports.values(), *self._sentinels(self._processes)])
            self._read()
            if self._failures or any(not each.is_alive() for each in self._processes.values()):
                raise self.failure() or RuntimeError("another process of the training ended before it began")

    def await_end(self) -> LostProcessError | None:
        """Wait until all have ended, or one has failed; then say why."""
        left = self._processes
        while left:
            wait(self._sentinels(left))
            self._read()
            if self._failures or any(each.exitcode for each in left.values()):
                return self.failure()
            left = {number: each for number, each in left.items() if each.is_alive()}
        return None

    @contextmanager
    def blamed(self, unwatched: Elsewhere | None = None) -> Iterator[None]:
        """Within, an error that the loss of a process has led to becomes that loss.

        Args:
            unwatched: The other machines, while they are not `watched`.

        Raises:
            LostProcessError: One of the others failed, or was killed.
        """
        try:
            yield
        except Exception as error:
            # What Orchard itself raises is nothing that the loss of another process leads to.
            lost = None if isinstance(error, OrchardError) else self.failure()
            if lost is None and unwatched is not None:
                lost = unwatched.lost(_GRACE_S)
            if lost is None:
                raise
            raise lost from error

    @contextmanager
    def watched(self, elsewhere: Elsewhere | None) -> Iterator[None]:
        """Within, the loss of a process ends what this one waits for: on a GPU nothing else would.

        Args:
            elsewhere: The other machines, whose losses count, too.
        """
        from torch import distributed

        group = distributed.group.WORLD

        def abort() -> None:
            if not self._over.is_set() and group is not None:
                group.abort()

        def watch() -> None:
            wait(self._sentinels(self._processes))
            abort()

        def watch_elsewhere(machines: Elsewhere, losses: Queue[LostProcessError]) -> None:
            while not self._over.is_set():
                if lost := machines.lost(POLL_S):
                    losses.put(lost)
                    abort()

        watchers = [threading.Thread(target=watch, daemon=True)] if self._processes else []
        if elsewhere is not None:
            self._lost_elsewhere = losses = Queue[LostProcessError]()
            watchers.append(threading.Thread(target=watch_elsewhere, args=(elsewhere, losses), daemon=True))
        for each in watchers:
            each.start()
        try:
            yield
        finally:
            self.end()
            for each in watchers:
                each.join()

    def failure(self) -> LostProcessError | None:
        """The error of the process that was lost first, as far as one is known soon; further losses follow from it."""
        deadline_s, left = time.monotonic() + _GRACE_S, self._processes
        while left and (rest_s := deadline_s - time.monotonic()) > 0:
            wait(self._sentinels(left), timeout=rest_s)
            left = {number: each for number, each in left.items() if each.is_alive()}
        self._read()
        for number, process in self._processes.items():
            if process.exitcode and number not in self._failures:
                return LostProcessError(_killed(number, self._size, process.exitcode))
        if not self._failures:
            return self._failure_elsewhere(deadline_s)
        number, first = min(self._failures.items(), key=lambda each: each[1].at_s)
        message = f"process {number + 1} of {self._size}: {first.diagnosis.message}"
        return LostProcessError(replace(first.diagnosis, message=message), first.trace)

    def _failure_elsewhere(self, deadline_s: float) -> LostProcessError | None:
        if self._lost_elsewhere is None:
            return None
        try:
            return self._lost_elsewhere.get(timeout=max(0.0, deadline_s - time.monotonic()))
        except Empty:
            return None

    def end(self) -> None:
        """Kill those that are left."""
        self._over.set()
        for each in self._processes.values():
            each.kill()
        for each in self._processes.values():
            each.join()

    def _sentinels(self, processes: Mapping[int, BaseProcess]) -> list[int]:
        return [each.sentinel for each in processes.values()]

    def _read(self) -> None:
        for number, report in self._reports.items():
            while report.poll():
                try:
                    message = report.recv()
                except EOFError:  # it has ended
                    break
                if isinstance(message, Failure):
                    self._failures[number] = message
                else:
                    self._ready.add(number)


def _killed(number: int, size: int, exit_code: int) -> Diagnosis:
    how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
    advice = "is the machine out of memory? it will be tried again"
    return Diagnosis(cause=Cause.TRANSIENT, message=f"process {number + 1} of {size} {how}: {advice}")
