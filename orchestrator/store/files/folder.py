"""Files in a folder that every worker sees: a disk, or a network file system with atomic hard links.

A file is written and synced first, then published under its name by link(2) or rename(2); where the file system
supports it, from an unnamed file (O_TMPFILE: two directory changes fewer, which is most of the cost of a small file).
Directories are not synced: after a power cut a file may be missing, but none is ever incomplete.
"""

import contextlib
import errno
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from jobs.errors import BadInputError
from orchestrator.private import make_private
from orchestrator.store.files.base import Appender, Entry

_SYNC_INTERVAL_S = 1.0
_NO_UNNAMED = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})
"""Errors of file systems and kernels without O_TMPFILE, and of machines without /proc."""


class FolderFiles:
    """See `Files`. Names that begin with a dot are temporary files.

    Args:
        root: The folder; created on the first write.
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

    def read_part(self, path: str, start: int, size: int) -> bytes:
        """A part of a file's content. Raises as the contract says."""
        with open(f"{self._root}/{path}", "rb") as stream:
            stream.seek(start)
            return stream.read(size)

    def create(self, path: str, content: bytes, *, sync: bool = True) -> bool:
        """Write a file unless it exists: `link` fails if the name is taken."""
        target = f"{self._root}/{path}"
        if self._has_unnamed:
            self._make(target.rpartition("/")[0])
            try:
                return _link_unnamed(target, content, sync=sync)
            except OSError as error:
                if error.errno not in _NO_UNNAMED:
                    raise
                self._has_unnamed = False
        return self._publish(target, content, replace=False, sync=sync)

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
        """Names of the files and folders directly in a folder, unordered."""
        try:
            return [name for name in os.listdir(f"{self._root}/{folder}") if not name.startswith(".")]
        except FileNotFoundError:
            return []

    def walk(self, folder: str) -> Iterator[Entry]:
        """Every file below a folder, temporary ones included.

        Raises:
            OSError: A folder cannot be read: what it holds must not pass for missing.
        """
        for parent, _, names in os.walk(f"{self._root}/{folder}", onerror=_raise_unless_gone):
            for name in names:
                path = f"{parent}/{name}".removeprefix(f"{self._root}/")
                entry = self.stat(path)
                if entry is not None:
                    temporary = name.startswith(".")
                    yield Entry(
                        path=path, size_bytes=entry.size_bytes, modified_s=entry.modified_s, temporary=temporary
                    )

    def address(self, path: str) -> str:
        """The absolute path."""
        return f"{self._root}/{path}"

    def appender(self, folder: str, name: str) -> Appender:
        """One append-only file."""
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
            make_private(self._root)  # what is within has the usual rights, so that a shared store stays shared
            os.makedirs(folder, exist_ok=True)
            self._made.add(folder)

    def _publish(self, path: str, content: bytes, *, replace: bool, sync: bool = True) -> bool:
        """Write a file atomically; False if the name was taken."""
        # Paths are joined as strings: this runs for every task, and pathlib would be half the cost of an empty task.
        folder, _, name = path.rpartition("/")
        self._make(folder)
        temporary = f"{folder}/.{name}.{uuid.uuid4().hex}"
        try:
            with open(temporary, "xb", buffering=0) as stream:
                _write_all(stream.fileno(), content)
                if sync:
                    os.fsync(stream.fileno())
            if replace:
                os.replace(temporary, path)
                return True
            os.link(temporary, path)
        except FileExistsError:
            # A network file system repeats a request whose response was lost: the existing name may be this file's.
            return os.stat(temporary).st_nlink == 2
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        return True


class _GrowingFile:
    """See `Appender`. After `append` the lines survive a crash of this process; within a second, of the machine."""

    interval_s = 0.0

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._length = os.fstat(self._descriptor).st_size
        self._torn = self._length > 0 and os.pread(self._descriptor, 1, self._length - 1) != b"\n"
        self._synced_s = time.monotonic()

    def append(self, content: bytes) -> None:
        """Append lines, after terminating a torn last line. Raises as the contract says."""
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
        """Sync to disk and close."""
        try:
            self._sync()
        finally:
            os.close(self._descriptor)

    def _sync(self) -> None:
        os.fsync(self._descriptor)
        self._synced_s = time.monotonic()


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _link_unnamed(path: str, content: bytes, *, sync: bool) -> bool:
    """Write an unnamed file, then link it to its name; False if the name was taken."""
    descriptor = os.open(path.rpartition("/")[0], os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    try:
        _write_all(descriptor, content)
        if sync:
            os.fsync(descriptor)
        # With `src_dir_fd` it is linkat(2), which follows the symbolic link that /proc shows an open file as.
        os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)
    except FileExistsError:
        return False
    finally:
        os.close(descriptor)
    return True


def _write_all(descriptor: int, content: bytes) -> None:
    """Write everything: one call may write less, on a nearly full disk or above 2 GiB."""
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, memoryview(content)[written:])
