"""A folder on this machine with copies of blobs that lie in an object store, shared by its processes.

Copies are named by their digest, and it is checked on every read, so a copy is right or it is dropped. Nothing here
ever fails a read: a full disk or a broken folder only means that the object store is asked.
"""

import contextlib
import hashlib
import os
import tempfile
import uuid
from pathlib import Path

from jobs.errors import BadInputError

CACHE_FOLDER, CACHE_BYTES = "ORCHARD_CACHE", "ORCHARD_CACHE_BYTES"
"""The environment variables that set folder and size; a size of 0 turns the cache off."""

_DEFAULT_BYTES = 10 * 2**30
_FILLED = 0.9
"""What is left after clearing out. The rest is room for what several processes add before one of them looks again."""


class BlobCache:
    """Recently read blobs; those unused for longest go first.

    Args:
        folder: Made when something is first kept.
        limit_bytes: Bound of all copies together. Each process may overstep it by a hundredth.
    """

    def __init__(self, folder: str | Path, limit_bytes: int) -> None:
        self._folder = str(folder)
        self._limit_bytes = limit_bytes
        self._unseen_bytes = limit_bytes  # others may have filled it: look at the first occasion

    def get(self, digest: str) -> bytes | None:
        """A blob's content, where there is a copy; it counts as used now."""
        path = self._path(digest)
        try:
            with open(path, "rb") as stream:
                content = stream.read()
            if hashlib.sha256(content).hexdigest() == digest:
                os.utime(path)
                return content
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.unlink(path)
        return None

    def put(self, digest: str, content: bytes) -> None:
        """Keep a copy, if there is room for it."""
        if len(content) > self._limit_bytes * _FILLED:
            return
        path = self._path(digest)
        temporary = f"{path}.{uuid.uuid4().hex}"
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(temporary, "xb") as stream:
                stream.write(content)
            os.replace(temporary, path)
            self._unseen_bytes += len(content)
            if self._unseen_bytes > self._limit_bytes / 100:
                self._clear_out()
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def _path(self, digest: str) -> str:
        return f"{self._folder}/{digest[:2]}/{digest}"

    def _clear_out(self) -> None:
        """Where the bound is passed, remove what was not used for longest; what dead writers left counts too."""
        found = []
        for shard in os.scandir(self._folder):
            for entry in os.scandir(shard.path):
                with contextlib.suppress(FileNotFoundError):
                    stat = entry.stat()
                    found.append((stat.st_mtime_ns, stat.st_size, entry.path))
        self._unseen_bytes = 0
        total = sum(size for _, size, _ in found)
        if total <= self._limit_bytes:
            return
        for _, size, path in sorted(found):
            if total <= self._limit_bytes * _FILLED:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            total -= size


def cache_of_this_machine() -> BlobCache | None:
    """The cache that the environment asks for; by default 10 GiB in the folder for temporary files.

    Raises:
        BadInputError: The size is not a number of bytes.
    """
    asked = os.environ.get(CACHE_BYTES, str(_DEFAULT_BYTES))
    if not asked.isdecimal():
        raise BadInputError(f"{CACHE_BYTES}: '{asked}' is not a number of bytes; 0 turns the cache off")
    folder = os.environ.get(CACHE_FOLDER) or f"{tempfile.gettempdir()}/orchard-cache-{os.getuid()}"
    return BlobCache(folder, int(asked)) if int(asked) else None
