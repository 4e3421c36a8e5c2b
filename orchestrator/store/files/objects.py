"""Files in an object store, through fsspec: one object per file.

Writes of objects are atomic. A conditional create (`If-None-Match: *` on S3) makes the first writer win; `check`
verifies that the server honours the condition. Listings and reads are not cached.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from jobs.errors import BadInputError
from orchestrator.store.files.base import Appender, Entry

_OPTIONS: dict[str, dict[str, Any]] = {
    # One request per read; by default, s3fs requests the size first.
    "s3": {"max_concurrency": 1, "config_kwargs": {"max_pool_connections": 32, "connect_timeout": 10}},
}
_TAKEN = {"PreconditionFailed", "412"}
_UNDECIDED = {"ConditionalRequestConflict", "409", "OperationAborted"}
_CREATE_ATTEMPTS = 8
_LONGEST_INTERVAL_S = 30.0


class ObjectFiles:
    """See `Files`.

    Args:
        uri: `s3://bucket/prefix`, or that of another object store which fsspec knows. Endpoint and credentials come
            from its own environment variables (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, ...).

    Raises:
        BadInputError: The package for this kind of store is not installed.
    """

    is_remote = True

    def __init__(self, uri: str) -> None:
        import fsspec

        self._uri = uri.rstrip("/")
        scheme = uri.partition("://")[0]
        try:
            options = {"use_listings_cache": False, **_OPTIONS.get(scheme, {})}
            self._system, self._root = fsspec.core.url_to_fs(self._uri, **options)
        except ImportError as error:
            raise BadInputError(f"storage: {uri} needs a package that is not installed here: {error}") from None

    @property
    def uri(self) -> str:
        """The URI that was given."""
        return self._uri

    def read(self, path: str) -> bytes:
        """A file's content. Raises as the contract says."""
        with self._as_os_error(path):
            content: bytes = self._system.cat_file(f"{self._root}/{path}")
        return content

    def read_part(self, path: str, start: int, size: int) -> bytes:
        """A part of a file's content. Raises as the contract says."""
        with self._as_os_error(path):
            content: bytes = self._system.cat_file(f"{self._root}/{path}", start=start, end=start + size)
        return content

    def create(self, path: str, content: bytes, *, sync: bool = True) -> bool:
        """Write an object unless one of its name exists; what an object store has answered for is always kept."""
        for attempt in count(1):
            try:
                self._write(path, content, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                code = _code(error)
                if code in _TAKEN:
                    return False
                if code not in _UNDECIDED or attempt == _CREATE_ATTEMPTS:
                    raise
                time.sleep(0.05 * 2**attempt)  # concurrent writers: the server asks to retry
            else:
                return True
        raise AssertionError("unreachable: the loop ends by returning or raising")

    def replace(self, path: str, content: bytes) -> None:
        """Write an object whether one of its name exists or not."""
        self._write(path, content, mode="overwrite")

    def exists(self, path: str) -> bool:
        """Whether there is such an object."""
        return self.stat(path) is not None

    def stat(self, path: str) -> Entry | None:
        """An object's entry; None where there is none."""
        try:
            with self._as_os_error(path):
                info = self._system.info(f"{self._root}/{path}")
        except FileNotFoundError:
            return None
        return self._entry(info) if info["type"] == "file" else None

    def delete(self, path: str) -> None:
        """Remove an object; no error where there is none."""
        try:
            with self._as_os_error(path):
                self._system.rm_file(f"{self._root}/{path}")
        except FileNotFoundError:
            pass

    def names(self, folder: str) -> list[str]:
        """Names of the objects and prefixes directly below a prefix."""
        try:
            with self._as_os_error(folder):
                listed = self._system.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        return [str(path).rstrip("/").rpartition("/")[2] for path in listed]

    def walk(self, folder: str) -> Iterator[Entry]:
        """Every object below a prefix."""
        with self._as_os_error(folder):
            found = self._system.find(f"{self._root}/{folder}", detail=True)
        for info in found.values():
            yield self._entry(info)

    def address(self, path: str) -> str:
        """The object's URI."""
        return f"{self._uri}/{path}"

    def appender(self, folder: str, name: str) -> Appender:
        """A sequence of objects, one per `append`, because objects cannot be appended to."""
        return _Segments(self, f"{folder}/{name}")

    def check(self) -> None:
        """Write an object twice. Raises as the contract says."""
        path = f"check-{uuid.uuid4().hex}"
        try:
            self.create(path, b"first")
            kept = not self.create(path, b"second") and self.read(path) == b"first"
            self.delete(path)
        except OSError as error:
            raise BadInputError(f"storage: {self._uri} cannot be used: {error}") from None
        if not kept:
            raise BadInputError(
                f"storage: the server of {self._uri} ignores the condition 'only if absent' (If-None-Match), so two "
                "drivers could overwrite each other; use a server that honours it, or a folder"
            )

    def _write(self, path: str, content: bytes, *, mode: str) -> None:
        try:
            with self._as_os_error(path):
                self._system.pipe_file(f"{self._root}/{path}", content, mode=mode)
        except FileNotFoundError as error:
            raise BadInputError(f"storage: {self._uri}: {error}; make the bucket first") from None

    def _entry(self, info: dict[str, Any]) -> Entry:
        path = info["name"].removeprefix(f"{self._root}/")
        modified = info.get("LastModified") or info.get("last_modified") or info.get("mtime") or info.get("updated")
        if modified is None:
            raise OSError(f"{self.address(path)}: the server does not tell when it was written")
        return Entry(path=path, size_bytes=int(info["size"]), modified_s=modified.timestamp())

    @contextmanager
    def _as_os_error(self, path: str) -> Iterator[None]:
        """Convert vendor-specific errors to `OSError`."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            if "Credentials" in type(error).__name__:
                raise BadInputError(
                    f"storage: {self._uri}: {error}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, on workers too"
                ) from None
            raise OSError(f"{self.address(path)}: {type(error).__name__}: {error}") from error


class _Segments:
    """See `Appender`. The interval grows with age, so a sweep of days writes thousands of objects, not millions."""

    def __init__(self, files: ObjectFiles, stem: str) -> None:
        self._files = files
        self._stem = stem
        self._number = 0
        self._opened_s = time.monotonic()

    @property
    def interval_s(self) -> float:
        """1 % of its age, between 1 and 30 seconds."""
        return min(_LONGEST_INTERVAL_S, max(1.0, (time.monotonic() - self._opened_s) / 100))

    def append(self, content: bytes) -> None:
        """Write the next object. Raises as the contract says."""
        self._files.replace(f"{self._stem}-{self._number:08d}.jsonl", content)
        self._number += 1

    def close(self) -> None:
        """Nothing to close."""


def _code(error: OSError) -> str:
    """The server's error code; empty where there is none."""
    response = getattr(error.__cause__, "response", None)
    return str(response["Error"].get("Code", "")) if response else ""
