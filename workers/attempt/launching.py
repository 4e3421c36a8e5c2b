"""Starts the further processes of a task that trains in several, and has them join and end.

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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import Pipe, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from jobs.resources import Resources
from workers.attempt.failures import LostProcessError, diagnose
from workers.attempt.others import POLL_S, Elsewhere, Failure, Follow, Others

if TYPE_CHECKING:
    import torch

    from workers.parallel import Meeting, Place, Processes

_INTERFACE = "GLOO_SOCKET_IFNAME"
"""The variable that names the network interface which gloo listens on; by default it would be an outward one."""


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


def _start(numbers: Sequence[int], size: int, place: Place, follow: Follow) -> Others:
    """Start processes of this machine."""
    from torch.multiprocessing.spawn import start_processes

    pipes = [Pipe(duplex=False) for _ in numbers]
    # Not daemonic, since those may not start processes that read data.
    arguments = (numbers, size, place, follow, [end for _, end in pipes])
    started = start_processes(
        _take_part, arguments, nprocs=len(numbers), join=False, daemon=False, start_method="spawn"
    )
    return Others(size, dict(zip(numbers, started.processes, strict=True)), [end for end, _ in pipes])


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
        if lost := elsewhere.lost(POLL_S):
            raise lost


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
        report.send(Failure(diagnosis=diagnose(error), trace=traceback.format_exc(), at_s=time.time()))
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
