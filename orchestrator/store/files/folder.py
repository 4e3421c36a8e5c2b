"""Files in a folder that every worker sees: a disk, or a network file system with atomic hard links.

A file appears under its name by link(2) or rename(2) from one that is on disk already, without a name where the file
system has such files (O_TMPFILE: two changes of a directory less, which is most of what a small file costs). Names are
left to the file system to bring to disk: after a power cut a file may be missing, but none is ever half there.
"""

import contextlib
import errno
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from jobs.errors import BadInputError
from orchestrator.store.files.base import Appender, Entry

_SYNC_INTERVAL_S = 1.0
_NO_UNNAMED = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})
"""How file systems and kernels without unnamed files refuse them, and a machine without /proc their link."""


class FolderFiles:
    """See `Files`. A name that begins with a dot is a temporary file's.

    Args:
        root: The folder; made when something is first written.
    """

    is_remote = False

    def __init__(self, root: str | Path) -> None:
        self._root = str(root)
        self._made: set[str] = set()
        self._has_unnamed = hasattr(os, "O_TMPFILE")

    @property
    def uri(self) -> str:
        """The folder's path."""
        return self._root

    def read(self, path: str) -> bytes:
        """A file's content. Raises as the contract says."""
        with open(f"{self._root}/{path}", "rb", buffering=0) as stream:
            return stream.read()

    def create(self, path: str, content: bytes) -> bool:
        """Write a file unless it exists: `link` fails if the name is taken."""
        place = f"{self._root}/{path}"
        if self._has_unnamed:
            self._make(place.rpartition("/")[0])
            try:
                return _link_unnamed(place, content)
            except OSError as error:
                if error.errno not in _NO_UNNAMED:
                    raise
                self._has_unnamed = False
        return self._publish(place, content, replace=False)

    def replace(self, path: str, content: bytes) -> None:
        """Write a file whether it exists or not."""
        self._publish(f"{self._root}/{path}", content, replace=True)

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return os.path.exists(f"{self._root}/{path}")

    def stat(self, path: str) -> Entry | None:
        """A file's entry; None where there is none."""
        try:
            found = os.stat(f"{self._root}/{path}")
        except FileNotFoundError:
            return None
        return Entry(path=path, size_bytes=found.st_size, modified_s=found.st_mtime)

    def delete(self, path: str) -> None:
        """Remove a file; no error where there is none."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._root}/{path}")

    def names(self, folder: str) -> list[str]:
        """Names of the files and folders directly in a folder, in no order."""
        try:
            return [name for name in os.listdir(f"{self._root}/{folder}") if not name.startswith(".")]
        except FileNotFoundError:
            return []

    def walk(self, folder: str) -> Iterator[Entry]:
        """Every file below a folder, temporary ones included."""
        for place, _, names in os.walk(f"{self._root}/{folder}"):
            for name in names:
                path = f"{place}/{name}".removeprefix(f"{self._root}/")
                entry = self.stat(path)
                if entry is not None:
                    temporary = name.startswith(".")
                    yield Entry(
                        path=path, size_bytes=entry.size_bytes, modified_s=entry.modified_s, temporary=temporary
                    )

    def address(self, path: str) -> str:
        """The path as every process can use it."""
        return f"{self._root}/{path}"

    def appender(self, folder: str, name: str) -> Appender:
        """One file that grows."""
        self._make(f"{self._root}/{folder}")
        return _GrowingFile(f"{self._root}/{folder}/{name}.jsonl")

    def check(self) -> None:
        """Write a file twice. Raises as the contract says."""
        path = f"check-{uuid.uuid4().hex}"
        try:
            kept = self.create(path, b"first") and not self.create(path, b"second") and self.read(path) == b"first"
            self.delete(path)
        except OSError as error:
            raise BadInputError(
                f"storage: {self._root} cannot be used ({error}); give a folder that may be written to, on a file "
                "system with hard links"
            ) from None
        if not kept:
            raise BadInputError(f"storage: {self._root} lets a second writer replace a file; give another folder")

    def _make(self, folder: str) -> None:
        if folder not in self._made:
            os.makedirs(folder, exist_ok=True)
            self._made.add(folder)

    def _publish(self, path: str, content: bytes, *, replace: bool) -> bool:
        """Make a file appear whole under its name, or not at all; False if the name was taken."""
        # Paths are joined as text: this runs for every task, and pathlib would be half of what an empty task costs.
        folder, _, name = path.rpartition("/")
        self._make(folder)
        temporary = f"{folder}/.{name}.{uuid.uuid4().hex}"
        try:
            with open(temporary, "xb", buffering=0) as stream:
                _write_all(stream.fileno(), content)
                os.fsync(stream.fileno())
            if replace:
                os.replace(temporary, path)
                return True
            os.link(temporary, path)
        except FileExistsError:
            # A network file system repeats a request whose answer was lost: the second name may well be this file's.
            return os.stat(temporary).st_nlink == 2
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        return True


class _GrowingFile:
    """See `Appender`. After `append` the lines survive this process, within a second this machine."""

    interval_s = 0.0

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._length = os.fstat(self._descriptor).st_size
        self._torn = self._length > 0 and os.pread(self._descriptor, 1, self._length - 1) != b"\n"
        self._synced_s = time.monotonic()

    def append(self, content: bytes) -> None:
        """Add lines, after ending a line that a writer left torn. Raises as the contract says."""
        if self._torn:
            content = b"\n" + content
        try:
            _write_all(self._descriptor, content)
        except OSError:
            os.ftruncate(self._descriptor, self._length)
            raise
        self._length += len(content)
        self._torn = False
        if time.monotonic() - self._synced_s >= _SYNC_INTERVAL_S:
            self._sync()

    def close(self) -> None:
        """Bring everything to disk and close."""
        try:
            self._sync()
        finally:
            os.close(self._descriptor)

    def _sync(self) -> None:
        os.fsync(self._descriptor)
        self._synced_s = time.monotonic()


def _link_unnamed(path: str, content: bytes) -> bool:
    """Write a file that has no name yet, then give it one; False if the name was taken."""
    descriptor = os.open(path.rpartition("/")[0], os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    try:
        _write_all(descriptor, content)
        os.fsync(descriptor)
        # With `src_dir_fd` it is linkat(2), which follows the symbolic link that /proc shows an open file as.
        os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)
    except FileExistsError:
        return False
    finally:
        os.close(descriptor)
    return True


def _write_all(descriptor: int, content: bytes) -> None:
    """Write all of it: one call may write less, on a disk that fills up or above 2 GiB."""
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, memoryview(content)[written:])
