"""From a storage URI to a store."""

from pathlib import Path

from jobs.errors import BadInputError
from orchestrator.store.local import LocalStore


def resolve_storage(uri: str) -> str:
    """The storage URI as every process can use it: absolute, `~` expanded.

    Raises:
        BadInputError: The scheme is not supported.
    """
    scheme, separator, rest = uri.partition("://")
    if separator and scheme != "file":
        raise BadInputError(
            f"storage: '{scheme}://' is not supported; give a folder that every worker sees, or file://"
        )
    return str(Path(rest if separator else uri).expanduser().resolve())


def open_store(uri: str) -> LocalStore:
    """The store at a URI. Nothing is written until something is committed."""
    return LocalStore(resolve_storage(uri))
