"""Fingerprints of data and checkpoints outside the store, so that a task's key changes when they do.

Checkpoints are hashed whole: two may differ in one layer in their middle. Data may be too large for that at every
`orchard plan`: small files are hashed whole, large ones by size, head and tail.
"""

import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from jobs.errors import BadInputError
from jobs.identity import Json, content_key

_WHOLE_BYTES = 64 * 2**20
_PROBE_BYTES = 2**20


def fingerprint(location: str, *, whole: bool = False) -> str:
    """The fingerprint of a file, or of all files below a folder.

    Files over 64 MiB are hashed by size, first and last MiB; in a folder, so is every file over 1 MiB.

    Args:
        location: A path, or the URI of a file on any file system that fsspec knows.
        whole: Hash a file of any size whole, a MiB in memory at a time.

    Raises:
        BadInputError: There is no such file or folder, or it cannot be reached.
    """
    if "://" in location and not location.startswith("file://"):
        return _remote_fingerprint(location, _limit(whole))
    root = Path(location.removeprefix("file://")).expanduser()
    if root.is_file():
        with root.open("rb") as stream:
            return _digest(stream, root.stat().st_size, _limit(whole))
    if not root.is_dir():
        raise BadInputError(
            f"{location}: no such file or folder on this machine; the driver reads it to name its content "
            "(for data that only workers see, give data.fingerprint)"
        )
    digest = hashlib.sha256()
    for file in sorted(_files_below(root, frozenset())):
        with file.open("rb") as stream:
            content = _digest(stream, file.stat().st_size, _PROBE_BYTES)
        digest.update(f"{file.relative_to(root)}\0{content}\0".encode())
    return digest.hexdigest()[:32]


def _files_below(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """All files, those in linked folders included; a link to a folder above itself ends there."""
    real = folder.resolve()
    if real in above or not os.access(folder, os.R_OK | os.X_OK):  # such as a disk's lost+found
        return
    for path in folder.iterdir():
        if path.is_dir():
            yield from _files_below(path, above | {real})
        elif path.is_file():
            yield path


def _limit(whole: bool) -> float:
    """The largest file that is hashed whole, in bytes."""
    return math.inf if whole else _WHOLE_BYTES


def _remote_fingerprint(uri: str, whole_bytes: float) -> str:
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(uri)
        with files.open(path, "rb") as stream:
            return _digest(stream, files.size(path), whole_bytes)
    except (OSError, ValueError, ImportError) as error:
        raise BadInputError(f"{uri}: cannot be read ({error}); the driver reads it to name its content") from error


def _digest(stream: BinaryIO, size: int, whole_bytes: float) -> str:
    digest = hashlib.sha256(str(size).encode())
    if size <= whole_bytes:
        while block := stream.read(_PROBE_BYTES):
            digest.update(block)
    else:
        digest.update(stream.read(_PROBE_BYTES))
        stream.seek(size - _PROBE_BYTES)
        digest.update(stream.read(_PROBE_BYTES))
    return digest.hexdigest()[:32]


def data_fingerprint(root: str, arguments: Json) -> str:
    """The fingerprint of a data set of the user's own: of its root, and of the files and folders that arguments name.

    An argument names one if it is an absolute path, a URI, or the relative path (with a slash or a dot) of something
    that is there.

    Args:
        root: The fingerprint of its root; empty where it has none.
        arguments: Its arguments.

    Raises:
        BadInputError: An absolute path or a URI cannot be read.
    """
    files = {}
    for path, location in named_files(arguments):
        try:
            files[path] = fingerprint(location)
        except BadInputError as error:
            raise BadInputError(f"arguments{path}: {error}; or give data.fingerprint") from error
    return content_key({"root": root, "files": files}) if files else root


def named_files(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """By its place among the arguments (`.paths.0`): every file and folder that they name."""
    match value:
        case Mapping():
            for name, each in value.items():
                yield from named_files(each, f"{path}.{name}")
        case list() | tuple():
            for index, each in enumerate(value):
                yield from named_files(each, f"{path}.{index}")
        case str() if _names_a_file(value):
            yield path, value


def _names_a_file(text: str) -> bool:
    if "://" in text or text.startswith(("/", "~")):
        return True
    try:
        return ("/" in text or "." in text) and Path(text).exists()
    except (OSError, ValueError):  # too long for a name, or a NUL byte
        return False
