"""Files in memory, for tests that make many stores; it passes `files_suite`."""

import threading
import time
from collections.abc import Iterator

from orchestrator.store.files import Entry


class _Lines:
    interval_s = 0.0

    def __init__(self, files: "DictFiles", path: str) -> None:
        self._files, self._path = files, path

    def append(self, content: bytes) -> None:
        before = self._files.read(self._path) if self._files.exists(self._path) else b""
        self._files.replace(self._path, before + content)

    def close(self) -> None:
        pass


class DictFiles:
    """See `Files`."""

    is_remote = False
    uri = "memory"

    def __init__(self) -> None:
        self._content: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    def read(self, path: str) -> bytes:
        try:
            return self._content[path][0]
        except KeyError:
            raise FileNotFoundError(path) from None

    def read_part(self, path: str, start: int, size: int) -> bytes:
        return self.read(path)[start : start + size]

    def create(self, path: str, content: bytes, *, sync: bool = True) -> bool:
        with self._lock:
            if path in self._content:
                return False
            self._content[path] = (content, time.time())
            return True

    def replace(self, path: str, content: bytes) -> None:
        self._content[path] = (content, time.time())

    def exists(self, path: str) -> bool:
        return path in self._content

    def stat(self, path: str) -> Entry | None:
        if path not in self._content:
            return None
        content, modified_s = self._content[path]
        return Entry(path=path, size_bytes=len(content), modified_s=modified_s)

    def delete(self, path: str) -> None:
        self._content.pop(path, None)

    def names(self, folder: str) -> list[str]:
        start = f"{folder}/" if folder else ""
        below = [path.removeprefix(start) for path in self._content if path.startswith(start)]
        return list({path.partition("/")[0] for path in below})

    def walk(self, folder: str) -> Iterator[Entry]:
        for path in list(self._content):
            entry = self.stat(path)
            if path.startswith(f"{folder}/") and entry is not None:
                yield entry

    def address(self, path: str) -> str:
        return f"memory/{path}"

    def appender(self, folder: str, name: str) -> _Lines:
        return _Lines(self, f"{folder}/{name}.jsonl")

    def check(self) -> None:
        pass
