"""Folders for their owner's eyes: results, reports and databases hold paths, settings and host names."""

import os
from pathlib import Path


def make_private(folder: str | Path) -> None:
    """Make a folder, and those above it, unless they are there: what is made is closed to everyone else.

    A folder that is there keeps its rights: whoever shares one makes it first.
    """
    path = Path(folder)
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def make_private_file(file: Path) -> None:
    """Make an empty file that only its owner may read and write, in a private folder, unless it is there."""
    make_private(file.parent)
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
