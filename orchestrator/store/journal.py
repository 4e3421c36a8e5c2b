"""The append-only record of what a driver did: one JSON object a line, one file a driver.

A torn last line (the driver died while writing it) is skipped by the reader and ended by the next writer. Results
are never read from here; the store's manifests are the truth.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from jobs.identity import Json

_SYNC_INTERVAL_S = 1.0


class Journal:
    """Appends entries to one file. After `flush` they survive this process, within a second this machine.

    Args:
        path: The file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        self._stream = path.open("a", encoding="utf-8")
        self._synced_s = time.monotonic()
        if torn:
            self._stream.write("\n")

    def append(self, kind: str, **fields: Json) -> None:
        """Add one entry: its kind, the time (`at_s`), and fields of its own."""
        self._stream.write(json.dumps({"kind": kind, "at_s": round(time.time(), 3), **fields}) + "\n")

    def flush(self) -> None:
        """Hand everything appended so far to the operating system, and once a second to the disk."""
        self._stream.flush()
        if time.monotonic() - self._synced_s >= _SYNC_INTERVAL_S:
            self._sync()

    def close(self) -> None:
        """Bring everything to disk and close."""
        self._stream.flush()
        self._sync()
        self._stream.close()

    def _sync(self) -> None:
        os.fsync(self._stream.fileno())
        self._synced_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_journal(path: Path) -> Iterator[dict[str, Json]]:
    """The entries of a journal, oldest first; lines that are not whole are skipped."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry
