"""What a place for files must be able to do, so that a store can be built on it.

Paths are relative to the root, with `/` between the parts. Knows nothing of what the files mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file as a listing shows it.

    Attributes:
        path: Below the root.
        size_bytes: Its size.
        modified_s: When it was last written, seconds since the epoch.
        temporary: It is what a writer that died left behind; under this name nobody will ever read it.
    """

    path: str
    size_bytes: int
    modified_s: float
    temporary: bool = False


class Appender(Protocol):
    """A file that grows at its end and belongs to one writer."""

    @property
    def interval_s(self) -> float:
        """How long to gather before the next `append`: 0 where appending costs little."""

    def append(self, content: bytes) -> None:
        """Add whole lines at the end; they survive this process.

        Raises:
            OSError: Not written, none of it; it may be tried again.
        """

    def close(self) -> None:
        """Make everything survive the machine too, and let go of the file."""


class Files(Protocol):
    """Whole files under one root. A file is seen whole or not at all, and every reader sees the newest at once."""

    @property
    def uri(self) -> str:
        """Where the root is; opening this URI gives the same files."""

    @property
    def is_remote(self) -> bool:
        """Whether every call is a request over a network: then many are made at once, and reads are cached."""

    def read(self, path: str) -> bytes:
        """A file's content.

        Raises:
            FileNotFoundError: There is none.
        """

    def create(self, path: str, content: bytes) -> bool:
        """Write a file unless it exists, in one step; whether it was this call that wrote it.

        False does not always mean another writer: a request whose answer was lost may have been sent twice.
        """

    def replace(self, path: str, content: bytes) -> None:
        """Write a file whether it exists or not, in one step."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    def stat(self, path: str) -> Entry | None:
        """A file's entry; None where there is none."""

    def delete(self, path: str) -> None:
        """Remove a file; no error where there is none."""

    def names(self, folder: str) -> list[str]:
        """Names of the files and folders directly in a folder, in no order; empty where there is no such folder."""

    def walk(self, folder: str) -> Iterator[Entry]:
        """Every file below a folder, what dead writers left behind included."""

    def address(self, path: str) -> str:
        """A file's place as people write it: for messages."""

    def appender(self, folder: str, name: str) -> Appender:
        """A file that one writer adds to, in a folder where no other file's name begins with `name`."""

    def check(self) -> None:
        """Write here and see that a file which exists is not created again; leaves nothing.

        Raises:
            BadInputError: Nothing can be written here, or a second writer would replace the first one's file.
        """
