"""The file operations that a store is built on, as a protocol. Paths are relative to the root, separated by `/`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file as a listing shows it.

    Attributes:
        path: Relative to the root.
        size_bytes: Its size.
        modified_s: When it was last written, seconds since the epoch.
        temporary: A leftover of a writer that died; it is never read.
    """

    path: str
    size_bytes: int
    modified_s: float
    temporary: bool = False


class Appender(Protocol):
    """An append-only file with one writer."""

    @property
    def interval_s(self) -> float:
        """Minimum interval between calls of `append`: 0 where appending is cheap."""

    def append(self, content: bytes) -> None:
        """Append whole lines; they survive a crash of this process.

        Raises:
            OSError: Nothing was written; it may be retried.
        """

    def close(self) -> None:
        """Sync to disk and close the file."""


class Files(Protocol):
    """Files under one root. Writes are atomic, and every reader sees the newest version at once."""

    @property
    def uri(self) -> str:
        """The URI of the root; opening it gives the same files."""

    @property
    def is_remote(self) -> bool:
        """Whether every call is a network request: then calls are made concurrently, and reads are cached."""

    def read(self, path: str) -> bytes:
        """A file's content.

        Raises:
            FileNotFoundError: There is none.
        """

    def read_part(self, path: str, start: int, size: int) -> bytes:
        """At most `size` bytes of a file, from `start`, which lies within it.

        Raises:
            FileNotFoundError: There is none.
        """

    def create(self, path: str, content: bytes, *, sync: bool = True) -> bool:
        """Write a file atomically unless it exists; returns whether this call wrote it.

        False does not always mean another writer: a request whose response was lost may have been sent twice.

        Args:
            path: Where.
            content: What.
            sync: Wait until a power cut cannot take the content away; else it may leave an incomplete file.
        """

    def replace(self, path: str, content: bytes) -> None:
        """Write a file atomically, whether it exists or not."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    def stat(self, path: str) -> Entry | None:
        """A file's entry; None where there is none."""

    def delete(self, path: str) -> None:
        """Remove a file; no error where there is none."""

    def names(self, folder: str) -> list[str]:
        """Names of the files and folders directly in a folder, unordered; empty where there is no such folder."""

    def walk(self, folder: str) -> Iterator[Entry]:
        """Every file below a folder, leftovers of dead writers included."""

    def address(self, path: str) -> str:
        """A file's full path or URI, for messages."""

    def appender(self, folder: str, name: str) -> Appender:
        """An append-only file, in a folder where no other file's name begins with `name`."""

    def check(self) -> None:
        """Check by writing a test file that `create` works and does not overwrite; removes the file.

        Raises:
            BadInputError: Nothing can be written here, or a second writer would replace the first one's file.
        """
