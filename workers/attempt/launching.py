"""Starts the further processes of a task that trains in several, watches them, and ends them.

The first process is the task's own. The others run the same stage up to its training and take part in that; they keep
nothing, and report nothing but why they failed.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import Pipe, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from jobs.errors import OrchardError
from jobs.outcome import Cause
from jobs.resources import Resources
from workers.attempt.failures import Diagnosis, LostProcessError, diagnose

if TYPE_CHECKING:
    import torch

    from workers.parallel import Meeting, Place, Processes

_GRACE_S = 2.0
"""How long the failure of another process may take to be known here, after it has disturbed this one."""

_POLL_S = 0.5
"""How often other machines are asked after."""

_INTERFACE = "GLOO_SOCKET_IFNAME"
"""The variable that names the network interface which gloo listens on; by default it would be an outward one."""

Join = Callable[["torch.device"], AbstractContextManager["Processes"]]
"""Joins the others, from the device that this process computes on; it waits until all are there."""

Follow = Callable[[int, Join], None]
"""What a further process does, given its number; it is pickled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
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


@contextmanager
def leading(
    resources: Resources, device: torch.device, follow: Follow, elsewhere: Elsewhere | None = None
) -> Iterator[Processes]:
    """Start further processes and join them; at the end none of them is left.

    Args:
        resources: How many there are with this one, at least 2, and on how many machines.
        device: Where this one computes.
        follow: What each of the others does.
        elsewhere: The other machines; None where all are on this one.

    Raises:
        LostProcessError: One of the others failed, or was killed.
    """
    from workers.parallel import joined

    size, here = resources.processes, resources.share.processes
    with _meeting_place(elsewhere, size) as (place, meeting):
        others = _start(range(1, here), size, place, follow)
        try:
            others.await_ready()
            if elsewhere is not None:
                elsewhere.start(place, follow)
                _await_arrival(meeting, range(here, size), elsewhere)
            with ExitStack() as together:
                with others.blamed(elsewhere):
                    processes = together.enter_context(joined(0, size, meeting=meeting, device=device))
                together.enter_context(others.watched(elsewhere))
                with others.blamed():
                    yield processes
        finally:
            others.end()
            if elsewhere is not None:
                elsewhere.end()


def accompany(numbers: Sequence[int], size: int, place: Place, follow: Follow) -> LostProcessError | None:
    """All that a further machine does: its share of the processes, until they have ended.

    Args:
        numbers: Of its processes.
        size: How many there are on all machines.
        place: Where they meet.
        follow: What each of them does.

    Returns:
        Why one of them failed, if one did; then the others have ended, too.
    """
    others = _start(numbers, size, place, follow)
    try:
        return others.await_end()
    finally:
        others.end()


def _start(numbers: Sequence[int], size: int, place: Place, follow: Follow) -> _Others:
    """Start processes of this machine."""
    from torch.multiprocessing.spawn import start_processes

    pipes = [Pipe(duplex=False) for _ in numbers]
    # Not daemonic, since those may not start processes that read data.
    arguments = (numbers, size, place, follow, [end for _, end in pipes])
    started = start_processes(
        _take_part, arguments, nprocs=len(numbers), join=False, daemon=False, start_method="spawn"
    )
    return _Others(size, dict(zip(numbers, started.processes, strict=True)), [end for end, _ in pipes])


@contextmanager
def _meeting_place(elsewhere: Elsewhere | None, size: int) -> Iterator[tuple[Place, Meeting]]:
    """Where the processes meet, and what the first one finds there."""
    from workers.parallel import meet, open_port

    if elsewhere is not None:
        meeting, port = open_port(elsewhere.host)
        yield port, meeting
        return
    with TemporaryDirectory(prefix="orchard-") as folder, _loopback():
        place = Path(folder, "meeting")
        yield place, meet(place, 0, size)


def _await_arrival(meeting: Meeting, numbers: Sequence[int], elsewhere: Elsewhere) -> None:
    """Wait until the processes of the other machines are about to join.

    Raises:
        LostProcessError: One has failed.
    """
    from workers.parallel import have_come

    while not have_come(meeting, numbers):
        if lost := elsewhere.lost(_POLL_S):
            raise lost


class _Others:
    """Processes that this one has started, and what they report.

    Args:
        size: How many there are on all machines, with the first one.
        processes: The processes by their numbers.
        reports: From each of them: None when it is ready to join, and a `_Failure`.
    """

    def __init__(self, size: int, processes: Mapping[int, BaseProcess], reports: Sequence[Connection]) -> None:
        self._size, self._processes = size, processes
        self._reports = dict(zip(processes, reports, strict=True))
        self._ready: set[int] = set()
        self._failures: dict[int, _Failure] = {}
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
                if lost := machines.lost(_POLL_S):
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
                if isinstance(message, _Failure):
                    self._failures[number] = message
                else:
                    self._ready.add(number)


def _killed(number: int, size: int, exit_code: int) -> Diagnosis:
    how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
    advice = "is the machine out of memory? it will be tried again"
    return Diagnosis(cause=Cause.TRANSIENT, message=f"process {number + 1} of {size} {how}: {advice}")


def _take_part(
    index: int, numbers: Sequence[int], size: int, place: Place, follow: Follow, reports: Sequence[Connection]
) -> None:
    """All that a further process does; then it ends at once, whatever a library still waits for."""
    number, report = numbers[index], reports[index]
    end_with_parent_only()

    @contextmanager
    def join(device: torch.device) -> Iterator[Processes]:
        from workers.parallel import joined, meet  # takes long, so before it is ready

        report.send(None)
        with joined(number, size, meeting=meet(place, number, size), device=device) as processes:
            yield processes

    try:
        follow(number, join)
    except Exception as error:
        report.send(_Failure(diagnosis=diagnose(error), trace=traceback.format_exc(), at_s=time.time()))
        os._exit(1)
    os._exit(0)


def end_with_parent_only() -> None:
    """From now on this process ends when the one that started it has ended, in whatever way.

    Signals that ask a whole job to end are for that one: it decides what follows.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None  # it was started by `multiprocessing`

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _loopback() -> Iterator[None]:
    """Processes that start or join here talk over the loopback interface, unless the user has named another one."""
    names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if _INTERFACE in os.environ or not names:
        yield
        return
    os.environ[_INTERFACE] = names[0]
    try:
        yield
    finally:
        del os.environ[_INTERFACE]
