"""A local read cache of blobs from an object store, shared by the processes of a machine.

Copies are named by their digest, which is checked on every read; damaged copies are dropped. The cache never fails a
read: on a full disk or a broken folder the object store is used.
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
"""Fill level after eviction; the rest is a margin for what several processes add between checks."""


class BlobCache:
    """An LRU cache of blobs.

    Args:
        folder: Created on first use.
        limit_bytes: Limit on the total size. Each process may exceed it by 1 %.
    """

    def __init__(self, folder: str | Path, limit_bytes: int) -> None:
        self._folder = str(folder)
        self._limit_bytes = limit_bytes
        self._unseen_bytes = limit_bytes  # other processes may have filled it: check at the first write

    def get(self, digest: str) -> bytes | None:
        """A blob's content, or None on a cache miss; marks it as used."""
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
        """Store a copy, unless the blob is too large."""
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
                self._evict()
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def _path(self, digest: str) -> str:
        return f"{self._folder}/{digest[:2]}/{digest}"

    def _evict(self) -> None:
        """If the limit is exceeded, remove the least recently used files; leftovers of dead writers count, too."""
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
    """The cache that the environment variables configure; by default 10 GiB in the temporary folder.

    Raises:
        BadInputError: The size is not a number of bytes.
    """
    asked = os.environ.get(CACHE_BYTES, str(_DEFAULT_BYTES))
    if not asked.isdecimal():
        raise BadInputError(f"{CACHE_BYTES}: '{asked}' is not a number of bytes; 0 turns the cache off")
    folder = os.environ.get(CACHE_FOLDER) or f"{tempfile.gettempdir()}/orchard-cache-{os.getuid()}"
    return BlobCache(folder, int(asked)) if int(asked) else None
