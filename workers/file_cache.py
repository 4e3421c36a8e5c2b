"""A folder of files that can be made again, bounded in size, shared by the processes of a machine."""

import contextlib
import os
import tempfile
import uuid
from pathlib import Path

from jobs.errors import BadInputError

_FILLED = 0.9
"""Fill level after eviction; the rest is a margin for what several processes add between checks."""


class FileCache:
    """Files by name; those that were unused for longest go first. Nothing fails where the folder cannot be written.

    Args:
        folder: Created on first use.
        limit_bytes: Limit on the total size. Each process may exceed it by 1 %.
    """

    def __init__(self, folder: str | Path, limit_bytes: int) -> None:
        self._folder = str(folder)
        self._limit_bytes = limit_bytes
        self._unseen_bytes = limit_bytes  # other processes may have filled it: check at the first write

    @property
    def folder(self) -> Path:
        """Where the files are; it need not exist yet."""
        return Path(self._folder)

    def path(self, name: str) -> str:
        """Where the file of that name is, if it is there. Who reads it sets its time (`os.utime`): it was used."""
        return f"{self._folder}/{name[:2]}/{name}"

    def put(self, name: str, content: bytes | memoryview) -> bool:
        """Write a file aside and rename it, so that readers see all of it or nothing.

        Returns:
            Whether it was written: not if it is too large, the disk is full or the folder is broken.
        """
        num_bytes = memoryview(content).nbytes
        if num_bytes > self._limit_bytes * _FILLED:
            return False
        path = self.path(name)
        temporary = f"{path}.{uuid.uuid4().hex}"
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(temporary, "xb") as stream:
                stream.write(content)
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            return False
        self._unseen_bytes += num_bytes
        if self._unseen_bytes > self._limit_bytes / 100:
            with contextlib.suppress(OSError):
                self._evict()
        return True

    def _evict(self) -> None:
        """If the limit is exceeded, remove the least recently used files; leftovers of dead writers count, too."""
        found = []
        shards = [each.path for each in os.scandir(self._folder) if each.is_dir(follow_symlinks=False)]
        for shard in shards:  # whatever else lies there is not of the cache
            for entry in os.scandir(shard):
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


def configured_cache(folder: str, size: str, *, default_folder: str, default_bytes: int) -> FileCache | None:
    """The cache that two environment variables configure.

    Args:
        folder: The variable that names the folder.
        size: The variable that names the limit in bytes; 0 turns the cache off.
        default_folder: Name of the folder within the temporary one; the user's number is added.
        default_bytes: Limit where the variable is unset.

    Raises:
        BadInputError: The size is not a number of bytes.
    """
    asked = os.environ.get(size, str(default_bytes))
    if not asked.isdecimal():
        raise BadInputError(f"{size}: '{asked}' is not a number of bytes; 0 turns the cache off")
    place = os.environ.get(folder) or f"{tempfile.gettempdir()}/{default_folder}-{os.getuid()}"
    return FileCache(place, int(asked)) if int(asked) else None
