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
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import Pipe, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from jobs.errors import OrchardError
from jobs.outcome import Cause
from workers.attempt.failures import Diagnosis, LostProcessError, diagnose

if TYPE_CHECKING:
    import torch

    from workers.parallel import Processes

_GRACE_S = 2.0
"""How long the failure of another process may take to be known here, after it has disturbed this one."""

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


@contextmanager
def leading(size: int, device: torch.device, follow: Follow) -> Iterator[Processes]:
    """Start further processes and join them; at the end none of them is left.

    Args:
        size: How many there are with this one, at least 2.
        device: Where this one computes.
        follow: What each of the others does.

    Raises:
        LostProcessError: One of the others failed, or was killed.
    """
    from torch.multiprocessing.spawn import start_processes

    from workers.parallel import joined

    pipes = [Pipe(duplex=False) for _ in range(size - 1)]
    with TemporaryDirectory(prefix="orchard-") as folder, _loopback():
        meeting = Path(folder, "meeting")
        # Not daemonic, since those may not start processes that read data.
        arguments = (size, meeting, follow, [end for _, end in pipes])
        started = start_processes(
            _take_part, arguments, nprocs=size - 1, join=False, daemon=False, start_method="spawn"
        )
        others = _Others(started.processes, [end for end, _ in pipes])
        try:
            others.await_ready()
            with joined(0, size, meeting=meeting, device=device) as processes, others.watched():
                try:
                    yield processes
                except Exception as error:
                    # What Orchard itself raises is nothing that the loss of another process leads to.
                    lost = None if isinstance(error, OrchardError) else others.failure()
                    if lost is None:
                        raise
                    raise lost from error
        finally:
            others.end()


class _Others:
    """The other processes, and what they report.

    Args:
        processes: The processes; their numbers start at 1.
        reports: From each of them: None when it is ready to join, and a `_Failure`.
    """

    def __init__(self, processes: Sequence[BaseProcess], reports: Sequence[Connection]) -> None:
        self._processes = dict(enumerate(processes, start=1))
        self._reports = dict(enumerate(reports, start=1))
        self._ready: set[int] = set()
        self._failures: dict[int, _Failure] = {}
        self._over = threading.Event()

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

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within, the loss of a process ends what this one waits for: on a GPU nothing else would."""
        from torch import distributed

        group = distributed.group.WORLD

        def watch() -> None:
            wait(self._sentinels(self._processes))
            if not self._over.is_set() and group is not None:
                group.abort()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self.end()
            watcher.join()

    def failure(self) -> LostProcessError | None:
        """The error of the process that was lost first, as far as one is known soon; further losses follow from it."""
        deadline_s, left = time.monotonic() + _GRACE_S, self._processes
        while left and (rest_s := deadline_s - time.monotonic()) > 0:
            wait(self._sentinels(left), timeout=rest_s)
            left = {number: each for number, each in left.items() if each.is_alive()}
        self._read()
        size = len(self._processes) + 1
        for number, process in self._processes.items():
            if process.exitcode and number not in self._failures:
                return LostProcessError(_killed(number, size, process.exitcode))
        if not self._failures:
            return None
        number, first = min(self._failures.items(), key=lambda each: each[1].at_s)
        message = f"process {number + 1} of {size}: {first.diagnosis.message}"
        return LostProcessError(replace(first.diagnosis, message=message), first.trace)

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
                message = report.recv()
                if isinstance(message, _Failure):
                    self._failures[number] = message
                else:
                    self._ready.add(number)


def _killed(number: int, size: int, exit_code: int) -> Diagnosis:
    how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
    advice = "is the machine out of memory? it will be tried again"
    return Diagnosis(cause=Cause.TRANSIENT, message=f"process {number + 1} of {size} {how}: {advice}")


def _take_part(index: int, size: int, meeting: Path, follow: Follow, reports: Sequence[Connection]) -> None:
    """All that a further process does; then it ends at once, whatever a library still waits for."""
    number, report = index + 1, reports[index]
    end_with_parent_only()

    @contextmanager
    def join(device: torch.device) -> Iterator[Processes]:
        from workers.parallel import joined

        report.send(None)
        with joined(number, size, meeting=meeting, device=device) as processes:
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
