"""The files and folders that a sweep file names, as it names them: relative ones are elsewhere on another machine."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.defaults import with_defaults
from jobs.fingerprint import named_files
from jobs.load import read_document
from jobs.many_models import with_many_models
from jobs.weights import is_file, is_hub

STORAGE = "storage"
"""Where a sweep file names its store."""


def given_locations(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, str]:
    """What a valid sweep reads and writes: path in the file -> file, folder or URI as it is written.

    The store, checkpoints, a table of models, the roots of data sets, and files that arguments of data sets name.

    Args:
        path: The sweep file.
        overrides: Changes to it.

    Raises:
        InvalidFileError: The file cannot be read.
    """
    document = read_document(path, overrides)[0]
    table = (document.get("models") or {}).get("table")
    named = with_defaults(with_many_models(document)[0])
    return {**({"models.table": table} if isinstance(table, str) else {}), **dict(_locations(named))}


def _locations(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if storage := document.get("storage"):
        yield STORAGE, storage
    yield from _of_data("data", document.get("data"))
    for group in ("models", "protocols"):
        for name, each in (document.get(group) or {}).items():
            weights = each.get("weights")
            if weights and is_file(weights):
                yield f"{group}.{name}.weights", weights
            yield from _of_data(f"{group}.{name}.data", each.get("data"))


def _of_data(path: str, data: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if data is None:
        return
    root = data.get("root")
    if root and not is_hub(root):
        yield f"{path}.root", root
    if ":" in data["dataset"]:
        yield from ((f"{path}.arguments{place}", each) for place, each in named_files(data.get("arguments") or {}))
