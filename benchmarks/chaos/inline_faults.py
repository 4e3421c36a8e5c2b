"""Faults against inline drivers: at file operations, in files, between two drivers. One call is one fault.

File operations are met through Python's audit events, so that the store's code is as it is shipped.
"""

import errno
import os
import signal
import string
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.chaos import world
from benchmarks.chaos.arena import HELD, Arena, kill
from benchmarks.chaos.driver import TTL_S
from orchestrator.store import open_store

_WRITES = frozenset({"os.link", "os.rename", "os.remove", "os.mkdir"})
"""Audit events of operations that change something, beside opening for writing; `os.replace` is `os.rename` here."""


def on_writes(folder: Path, act: Callable[[], None]) -> Callable[[], None]:
    """What makes this process call `act` before every file operation that would change something in a folder."""
    inside = f"{folder}{os.sep}"

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        changes = event in _WRITES or (event == "open" and _opens_for_writing(arguments))
        if changes and any(str(argument).startswith(inside) for argument in arguments[:2]):
            act()

    return lambda: sys.addaudithook(hook)


def _opens_for_writing(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def driver_killed_at_write(arena: Arena) -> None:
    """Kill -9 of the driver right before a file operation: the boundaries of commit, journal, lease, sweep record."""
    left = arena.draw.randrange(1, 250)

    def act() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    arena.run(on_writes(arena.store, act))


def disk_full(arena: Arena) -> None:
    """For a while nothing can be written to the store's disk."""
    begins, lasts = arena.draw.randrange(5, 200), arena.draw.randrange(1, 30)
    count = 0

    def act() -> None:
        nonlocal count
        count += 1
        if begins <= count < begins + lasts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    arena.run(on_writes(arena.store, act))


def transient_io(arena: Arena) -> None:
    """Every twentieth write fails."""

    def act() -> None:
        if arena.draw.random() < 0.05:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    arena.run(on_writes(arena.store, act))


def bit_flipped(arena: Arena) -> None:
    """A driver is killed on its way, and a bit of something that it committed flips."""
    _kill_on_its_way(arena)
    path = _some_file(arena)
    content = bytearray(path.read_bytes())
    content[arena.draw.randrange(len(content))] ^= 1 << arena.draw.randrange(8)
    path.write_bytes(content)


def half_written(arena: Arena) -> None:
    """The same, but a file lost its second half, as after a power cut."""
    _kill_on_its_way(arena)
    path = _some_file(arena)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def torn_journal(arena: Arena) -> None:
    """A driver is killed on its way, and the last line of its journal is cut."""
    _kill_on_its_way(arena)
    for path in arena.store.glob("journal/*/*"):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) - arena.draw.randrange(1, 40)])


def journal_damaged(arena: Arena) -> None:
    """A driver is killed on its way, and in every file of its journal and its summaries characters change."""
    _kill_on_its_way(arena)
    for path in [*arena.store.glob("journal/*/*"), *arena.store.glob("summaries/*")]:
        _change_characters(path, arena, count=arena.draw.randrange(1, 10))


def record_damaged(arena: Arena) -> None:
    """A driver is killed on its way, and a character of the sweep's record changes."""
    _kill_on_its_way(arena)
    _change_characters(arena.store / "sweeps" / f"{world.SWEEP}.json", arena, count=1)


def two_drivers(arena: Arena) -> None:
    """A second driver starts while the first runs: it must be turned away."""
    first = arena.start()
    arena.await_progress(arena.draw.randrange(1, 20))
    second = arena.run()
    if second != HELD and arena.wait(first) == 0 and second != 0:
        raise RuntimeError(f"the second driver ended with {second}")
    kill(first)


def lease_lost(arena: Arena) -> None:
    """A driver freezes for longer than its lease lives, another follows, and the first wakes up again."""
    first = arena.start()
    arena.await_progress(arena.draw.randrange(1, 20))
    kill(first, signal.SIGSTOP)
    second = arena.start()
    time.sleep(TTL_S + arena.draw.random())
    kill(first, signal.SIGCONT)
    arena.wait(first)
    arena.wait(second)


def shared(arena: Arena) -> None:
    """Two sweeps of the same tasks run at once, and the driver of one is killed on its way."""
    drivers = {sweep: arena.start(sweep=sweep) for sweep in (world.SWEEP, world.OTHER)}
    arena.await_progress(arena.draw.randrange(1, 60))
    victim = arena.draw.choice(list(drivers))
    kill(drivers[victim])
    world.note(arena.root / "record.jsonl", event="killed", driver=victim, key="")
    for pid in drivers.values():
        arena.wait(pid)


def _kill_on_its_way(arena: Arena) -> None:
    pid = arena.start()
    arena.await_progress(arena.draw.randrange(10, 40))  # the first result is committed after seven lines
    kill(pid)
    arena.wait(pid)


def _change_characters(path: Path, arena: Arena, *, count: int) -> None:
    content = bytearray(path.read_bytes())
    for place in arena.draw.sample(range(len(content)), min(count, len(content))):
        content[place] = ord(arena.draw.choice(string.printable))
    path.write_bytes(content)


def _some_file(arena: Arena) -> Path:
    """A blob or manifest that a driver committed; reads with the store's own listing so that no temporary is met."""
    store = open_store(str(arena.store))
    files = [entry.path for kind in ("blobs", "manifests") for entry in store.files.walk(kind) if not entry.temporary]
    return arena.store / arena.draw.choice(sorted(files))


FAULTS: dict[str, Callable[[Arena], None]] = {
    "driver killed at a write": driver_killed_at_write,
    "disk full": disk_full,
    "writes fail now and then": transient_io,
    "bit flipped": bit_flipped,
    "half-written file": half_written,
    "torn journal": torn_journal,
    "journal damaged": journal_damaged,
    "record damaged": record_damaged,
    "two drivers": two_drivers,
    "lease lost": lease_lost,
    "shared": shared,
}
