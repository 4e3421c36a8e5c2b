"""Opens the store at a storage URI."""

from importlib.util import find_spec
from pathlib import Path

from jobs.errors import BadInputError
from orchestrator.store.artifacts import ArtifactStore
from orchestrator.store.cache import cache_of_this_machine
from orchestrator.store.files import FolderFiles, ObjectFiles

OBJECT_STORES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
"""Scheme -> the package that fsspec needs for it. Only stores with atomic writes and conditional creates: on other file
systems of fsspec (ftp, hdfs, http, ...) readers would see partly written files."""


def resolve_storage(uri: str | Path) -> str:
    """The normalised storage URI: a folder becomes absolute, `~` expanded.

    Raises:
        BadInputError: The scheme is not supported, its package is missing, or no bucket is named.
    """
    scheme, separator, rest = str(uri).partition("://")
    if not separator or scheme == "file":
        return str(Path(rest if separator else uri).expanduser().resolve())
    if scheme not in OBJECT_STORES:
        known = ", ".join(f"{name}://" for name in OBJECT_STORES)
        raise BadInputError(
            f"storage: '{scheme}://' is not supported; give a folder that every worker sees, file://, or one of {known}"
        )
    if find_spec(OBJECT_STORES[scheme]) is None:
        raise BadInputError(
            f"storage: {uri} needs the package {OBJECT_STORES[scheme]}; install it here and on every worker "
            f"(pip install {OBJECT_STORES[scheme]})"
        )
    if not rest.strip("/"):
        raise BadInputError(f"storage: {uri} names no bucket; give {scheme}://bucket/prefix")
    return f"{scheme}://{rest.strip('/')}"


def open_store(uri: str | Path) -> ArtifactStore:
    """The store at a URI. Nothing is written until something is committed."""
    resolved = resolve_storage(uri)
    if "://" not in resolved:
        return ArtifactStore(FolderFiles(resolved))
    return ArtifactStore(ObjectFiles(resolved), cache_of_this_machine())
