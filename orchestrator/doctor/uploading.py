"""What of a working directory Ray uploads for a job, and which of the files that a sweep names are in that."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from jobs.checks import absolute
from jobs.locations import STORAGE, given_locations
from orchestrator.doctor.cluster import upload_sizes
from orchestrator.doctor.facts import NamedFile, Upload

EXCLUDES = (".git", ".venv", ".orchard", "**/__pycache__", "mlruns", "*.ckpt", "*.pt", "*.pth", "*.safetensors")
"""Patterns excluded from the upload: Ray refuses over 100 MiB; weights and data are read by URI."""


def look_at_upload(folder: str, sweep: str | None, overrides: Sequence[str]) -> Upload:
    """What Ray would upload.

    Args:
        folder: The working directory.
        sweep: A valid sweep file; None: no sweep's files are looked for.
        overrides: Changes to it.
    """
    sizes = upload_sizes(folder, EXCLUDES)
    named = _named(sweep, overrides) if sweep else {}
    files = tuple(_found(where, written, Path(folder).resolve(), sizes) for where, written in named.items())
    return Upload(folder=folder, sizes=sizes, named=files)


def on_every_machine(sweep: str, overrides: Sequence[str], *, as_job: bool) -> tuple[str, ...]:
    """Paths of the checkpoints and data of a sweep that every machine has to have; URIs are not among them.

    Args:
        sweep: A valid sweep file.
        overrides: Changes to it.
        as_job: In a job relative paths mean its copy of the working directory; else they mean this machine's.
    """
    named = {where: written for where, written in given_locations(sweep, overrides).items() if where != STORAGE}
    paths = [written.removeprefix("file://") for written in named.values() if not _is_remote(written)]
    if as_job:
        return tuple(path for path in paths if path.startswith(("/", "~")))
    return tuple(absolute(path) for path in paths)


def _named(sweep: str, overrides: Sequence[str]) -> dict[str, str]:
    """What a job reads: by its place in the command or in the sweep file."""
    command = {f"override {each}": each[1:] for each in overrides if each.startswith("@") and Path(each[1:]).exists()}
    return {**command, **given_locations(sweep, overrides)}


def _found(where: str, written: str, root: Path, sizes: Mapping[str, int]) -> NamedFile:
    path = written.removeprefix("file://")
    if _is_remote(written) or path.startswith(("/", "~")):
        return NamedFile(where=where, written=written, is_relative=False)
    place = os.path.normpath(path)
    inside = not place.startswith("..")
    there = list(_files(root / place, root)) if inside else []
    return NamedFile(
        where=where, written=written, is_relative=True, num_here=len(there), num_sent=_num_in(there, sizes)
    )


def _is_remote(written: str) -> bool:
    return "://" in written and not written.startswith("file://")


def _files(place: Path, root: Path) -> Iterator[str]:
    if place.is_file():
        yield str(place.relative_to(root))
    for file in place.rglob("*") if place.is_dir() else ():
        if file.is_file():
            yield str(file.relative_to(root))


def _num_in(files: Sequence[str], sent: Collection[str]) -> int:
    return sum(file in sent for file in files)
