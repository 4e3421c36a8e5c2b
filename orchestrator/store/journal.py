"""The journal: an append-only record of attempts, one JSON object per line, with separate files for each driver.

A torn last line (the driver died while writing it) is terminated by the next writer. Results are never read from the
journal, so a sweep continues if it cannot be written, and a line that cannot be read is passed over and counted.
"""

import json
import logging
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from jobs.identity import Json, Parsed
from jobs.secrets import masked_record
from orchestrator.store.entries import read_entry
from orchestrator.store.files import Files, map_files
from orchestrator.store.files.base import Appender

MOST_WAITING = 100_000
"""Maximum number of entries to buffer while they cannot be written; beyond that, the oldest are dropped."""

_CHUNK_BYTES = 2**22
_log = logging.getLogger("orchard")


class Journal:
    """Appends entries. After `flush` they survive a crash of this process, as soon as the appender allows.

    Args:
        appender: Writes the lines.
        address: Address of the file, for messages.
    """

    def __init__(self, appender: Appender, address: str) -> None:
        self._appender = appender
        self._address = address
        self._waiting: deque[str] = deque()
        self._dropped = 0
        self._warned = False
        self._flushed_s = float("-inf")

    def append(self, kind: str, **fields: Json) -> None:
        """Append one entry: its kind, the time (`at_s`), and its fields."""
        if len(self._waiting) == MOST_WAITING:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(json.dumps({"kind": kind, "at_s": round(time.time(), 3), **masked_record(fields)}))

    def flush(self) -> None:
        """Write the buffered entries, at most once per interval of the appender."""
        if time.monotonic() - self._flushed_s >= self._appender.interval_s:
            self._write()

    def close(self) -> None:
        """Write the buffered entries, sync and close."""
        self._write()
        try:
            self._appender.close()
        except OSError as error:
            self._warn(error)

    def _write(self) -> None:
        self._flushed_s = time.monotonic()
        lines = list(self._waiting)
        if self._dropped:
            lines.insert(0, json.dumps({"kind": "lost", "at_s": round(time.time(), 3), "entries": self._dropped}))
        if not lines:
            return
        try:
            self._appender.append("".join(f"{line}\n" for line in lines).encode())
        except OSError as error:
            self._warn(error)
            return
        self._waiting.clear()
        self._dropped = 0

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "%s: the journal cannot be written (%s); the sweep goes on, and up to %d entries are kept in memory",
                self._address,
                error,
                MOST_WAITING,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_journal(files: Files, sweep: str, driver: str) -> Journal:
    """Open the journal of a driver.

    Args:
        files: The files of the store.
        sweep: The sweep's name.
        driver: A unique name that sorts behind those of the drivers before (`new_driver_name`).
    """
    folder = f"journal/{sweep}"
    return Journal(files.appender(folder, driver), files.address(f"{folder}/{driver}"))


def new_driver_name(term: int) -> str:
    """A unique name that sorts by the number of the lease term, and within a term by time.

    The clocks of two drivers' machines may differ, their terms say who followed whom. Versions up to 0.2 began with the
    time: with a digit, which sorts before the letter.
    """
    now_ns = time.time_ns()
    second = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_ns // 10**9))
    return f"t{term:08d}.{second}.{now_ns // 1000 % 10**6:06d}-{uuid.uuid4().hex[:6]}"


class JournalReader:
    """Reads the lines of a sweep's journal, driver by driver in the order of their start, and knows how far it came.

    Attributes:
        read: Bytes that were read of each file, in that order; whole lines of the last one.
        torn: The line within which the last file ends: its driver died, or is writing it; empty where there is none.

    Args:
        files: The files of the store.
        sweep: The sweep's name.
        read: How far an earlier reader came.

    Raises:
        ValueError: The journal does not continue what was read.
    """

    def __init__(self, files: Files, sweep: str, read: Mapping[str, int] | None = None) -> None:
        self._files = files
        folder = f"journal/{sweep}"
        found = [entry for entry in files.walk(folder) if not entry.temporary]
        sizes = {entry.path: entry.size_bytes for entry in sorted(found, key=lambda entry: entry.path)}
        self.read = dict(read or {})
        self.torn = b""
        *ended, last = [*self.read] or [""]
        followed = [*sizes][: len(self.read)] == [*self.read] and all(sizes[path] == self.read[path] for path in ended)
        if last and not (followed and sizes[last] >= self.read[last]):
            raise ValueError(f"{files.address(folder)}: not the journal that was read before")
        self._left = {path: size for path, size in sizes.items() if path not in ended}

    def lines(self) -> Iterator[bytes]:
        """The lines that were not read before; one that is torn only where another file follows."""
        rest = b""
        parts = [
            (path, start, size)
            for path, size in self._left.items()
            for start in range(self.read.setdefault(path, 0), size, _CHUNK_BYTES) or (size,)
        ]
        # Parts are read in order, on an object store several ahead.
        contents = map_files(self._files, self._part, parts)
        for (path, start, size), content in zip(parts, contents, strict=True):
            *whole, rest = (rest + content).split(b"\n")
            for line in whole:
                self.read[path] += len(line) + 1
                yield line
            if rest and start + _CHUNK_BYTES >= size and path != parts[-1][0]:
                self.read[path], torn, rest = size, rest, b""
                yield torn
        self.torn = rest

    def _part(self, part: tuple[str, int, int]) -> bytes:
        path, start, size = part
        length = min(_CHUNK_BYTES, size - start)
        return self._files.read_part(path, start, length) if length else b""


def read_journal(files: Files, sweep: str, only: Sequence[str] = ()) -> Iterator[Parsed]:
    """The entries of a sweep, driver by driver in the order of their start; `UNREADABLE` for lines that are none.

    A generator, because a journal may be larger than memory.

    Args:
        files: The files of the store.
        sweep: The sweep's name.
        only: Pass over lines that contain none of these texts; default: none.
    """
    marks = [text.encode() for text in only]
    reader = JournalReader(files, sweep)
    for line in reader.lines():
        if not marks or any(mark in line for mark in marks):
            yield read_entry(line)
    if reader.torn:
        yield read_entry(reader.torn)
