"""Opens the store at a storage URI."""

import re
from pathlib import Path

from jobs.errors import BadInputError
from jobs.libraries import missing
from jobs.secrets import fill, mask
from orchestrator.store.artifacts import ArtifactStore
from orchestrator.store.cache import cache_of_this_machine
from orchestrator.store.files import FolderFiles, ObjectFiles

OBJECT_STORES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
"""Scheme -> the package that fsspec needs for it.

Only stores with atomic writes and conditional creates: on other file
systems of fsspec (ftp, hdfs, http, ...) readers would see partly written files."""


def resolve_storage(uri: str | Path) -> str:
    """The normalised storage URI: variables filled in, a folder becomes absolute, `~` expanded.

    Raises:
        BadInputError: The scheme is not supported, its package is missing, no bucket is named, a variable is not set,
            or it holds a password or token.
    """
    uri = fill(str(uri), "storage")
    if not uri.strip():
        raise BadInputError(
            "storage: is empty; give a folder that every worker sees, or the address of an object store"
        )
    if mask(uri) != uri:
        raise BadInputError(
            f"storage: {mask(uri)} holds a password or token, and this address is written in many places; give it to "
            "the driver and every worker by the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ...)"
        )
    if mistyped := re.match(rf"({'|'.join([*OBJECT_STORES, 'file'])}):/?(?!/)", uri):
        raise BadInputError(f"storage: {uri} would be a folder; write {mistyped[1]}://{uri[mistyped.end() :]}")
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme == "file":
        return str(Path(rest if separator else uri).expanduser().resolve())
    if scheme not in OBJECT_STORES:
        known = ", ".join(f"{name}://" for name in OBJECT_STORES)
        raise BadInputError(
            f"storage: '{scheme}://' is not supported; give a folder that every worker sees, file://, or one of {known}"
        )
    if said := missing(OBJECT_STORES[scheme]):
        raise BadInputError(f"storage: {uri}: {said}")
    if not rest.strip("/"):
        raise BadInputError(f"storage: {uri} names no bucket; give {scheme}://bucket/prefix")
    return f"{scheme}://{rest.strip('/')}"


def open_store(uri: str | Path) -> ArtifactStore:
    """The store at a URI. Nothing is written until something is committed.

    Raises:
        BadInputError: As `resolve_storage`; or a file is where the folder would be.
    """
    resolved = resolve_storage(uri)
    if "://" not in resolved:
        _refuse_file(Path(resolved))
        return ArtifactStore(FolderFiles(resolved))
    return ArtifactStore(ObjectFiles(resolved), cache_of_this_machine())


def _refuse_file(folder: Path) -> None:
    there = next((each for each in (folder, *folder.parents) if each.exists()), None)
    if there is not None and not there.is_dir():
        raise BadInputError(f"storage: {there} is a file; give a folder that every worker sees")
