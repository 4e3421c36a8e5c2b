"""The append-only record of what drivers did: one JSON object a line, each driver in files of its own.

A torn last line (the driver died while writing it) is skipped by the reader and ended by the next writer. Results
are never read from here; the store's manifests are the truth. So a journal that cannot be written stops no sweep.
"""

import io
import json
import logging
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from jobs.identity import Json, Parsed
from orchestrator.store.files import Files, each
from orchestrator.store.files.base import Appender

MOST_WAITING = 100_000
"""Entries that are kept in memory while they cannot be written; then the oldest are given up."""

_log = logging.getLogger("orchard")


class Journal:
    """Appends entries. After `flush` they survive this process, as soon as the place for them allows.

    Args:
        appender: Where they go.
        address: Of that place, for messages.
    """

    def __init__(self, appender: Appender, address: str) -> None:
        self._appender = appender
        self._address = address
        self._waiting: deque[str] = deque()
        self._given_up = 0
        self._warned = False
        self._flushed_s = float("-inf")

    def append(self, kind: str, **fields: Json) -> None:
        """Add one entry: its kind, the time (`at_s`), and fields of its own."""
        if len(self._waiting) == MOST_WAITING:
            self._waiting.popleft()
            self._given_up += 1
        self._waiting.append(json.dumps({"kind": kind, "at_s": round(time.time(), 3), **fields}))

    def flush(self) -> None:
        """Write what was appended; where writing costs a request, only now and then."""
        if time.monotonic() - self._flushed_s >= self._appender.interval_s:
            self._write()

    def close(self) -> None:
        """Write what was appended, bring it to disk and close."""
        self._write()
        try:
            self._appender.close()
        except OSError as error:
            self._warn(error)

    def _write(self) -> None:
        self._flushed_s = time.monotonic()
        lines = list(self._waiting)
        if self._given_up:
            lines.insert(0, json.dumps({"kind": "lost", "at_s": round(time.time(), 3), "entries": self._given_up}))
        if not lines:
            return
        try:
            self._appender.append("".join(f"{line}\n" for line in lines).encode())
        except OSError as error:
            self._warn(error)
            return
        self._waiting.clear()
        self._given_up = 0

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
    """The journal of a driver.

    Args:
        files: Where the store keeps its files.
        sweep: What it runs.
        driver: A name that no other driver has and that sorts by the time it began.
    """
    folder = f"journal/{sweep}"
    return Journal(files.appender(folder, driver), files.address(f"{folder}/{driver}"))


def read_journal(files: Files, sweep: str) -> Iterator[Parsed]:
    """The entries of a sweep, driver by driver in the order in which they began; lines that are not whole are skipped.

    Nothing is kept: a journal may be longer than memory.
    """
    folder = f"journal/{sweep}"
    for content in each(files, lambda name: files.read(f"{folder}/{name}"), sorted(files.names(folder))):
        for line in io.BytesIO(content):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry
