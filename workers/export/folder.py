"""Writes folders that are there as a whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.errors import BadInputError
from workers.export.description import is_export


@contextmanager
def whole_folder(folder: Path, names: Collection[str], *, force: bool) -> Iterator[Path]:
    """A place for a folder's files; it becomes the folder at the end, and is gone where an error was raised.

    Args:
        folder: The folder; one that exists is refused, unless it is empty.
        names: What an export may write into it.
        force: Replace an earlier export.

    Raises:
        BadInputError: The folder exists, or has files that no export wrote.
    """
    folder = folder.expanduser().resolve()
    _check(folder, names, force=force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        made = place / "new"
        made.mkdir()  # with the usual permissions, unlike the place around it
        yield made
        if folder.exists():
            folder.rename(place / "old")
        try:
            made.rename(folder)
        except OSError:
            if (place / "old").exists():
                (place / "old").rename(folder)
            raise
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _check(folder: Path, names: Collection[str], *, force: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BadInputError(f"{folder}: is a file; name another folder with --out")
    found = sorted(os.listdir(folder))
    if not found:
        return
    foreign = [name for name in found if name not in names]
    if foreign or not is_export(folder):
        what = f"has files that no export wrote ({', '.join((foreign or found)[:3])})"
        raise BadInputError(f"{folder}: {what}; name another folder with --out")
    if not force:
        raise BadInputError(f"{folder}: exists; --force replaces it, --out names another folder")
