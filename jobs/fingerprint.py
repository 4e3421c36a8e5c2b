"""Fingerprints of data, checkpoints and code outside the store, so that a task's key changes when they do.

Cheap enough for `orchard plan`: small files are hashed whole, large ones by size, head and tail.
"""

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jobs.errors import BadInputError

_WHOLE_BYTES = 64 * 2**20
_PROBE_BYTES = 2**20


def fingerprint(location: str) -> str:
    """The fingerprint of a file, or of all files below a folder.

    Files over 64 MiB are hashed by size, first and last MiB; in a folder, so is every file over 1 MiB.

    Args:
        location: A path, or the URI of a file on any file system that fsspec knows.

    Raises:
        BadInputError: There is no such file or folder, or it cannot be reached.
    """
    if "://" in location and not location.startswith("file://"):
        return _remote_fingerprint(location)
    root = Path(location.removeprefix("file://")).expanduser()
    if root.is_file():
        with root.open("rb") as stream:
            return _digest(stream, root.stat().st_size, _WHOLE_BYTES)
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


def _remote_fingerprint(uri: str) -> str:
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(uri)
        with files.open(path, "rb") as stream:
            return _digest(stream, files.size(path), _WHOLE_BYTES)
    except (OSError, ValueError, ImportError) as error:
        raise BadInputError(f"{uri}: cannot be read ({error}); the driver reads it to name its content") from error


def _digest(stream: BinaryIO, size: int, whole_bytes: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    if size <= whole_bytes:
        while block := stream.read(_PROBE_BYTES):
            digest.update(block)
    else:
        digest.update(stream.read(_PROBE_BYTES))
        stream.seek(size - _PROBE_BYTES)
        digest.update(stream.read(_PROBE_BYTES))
    return digest.hexdigest()[:32]


def source_fingerprint(import_path: str) -> str:
    """The fingerprint of the source of a user's `package.module:callable`; the module is located, not imported.

    Only the named module counts, not the modules that it imports.

    Raises:
        BadInputError: There is no such module.
    """
    top, *rest = import_path.partition(":")[0].split(".")
    spec = importlib.util.find_spec(top)
    roots = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    candidates = [root.joinpath(*rest) for root in roots]
    if spec and spec.origin and not rest:
        return fingerprint(spec.origin)
    for candidate in candidates:
        for file in (candidate.with_suffix(".py"), candidate / "__init__.py"):
            if file.is_file():
                return fingerprint(str(file))
    raise BadInputError(f"{import_path}: no module '{import_path.partition(':')[0]}' is found on this machine")
