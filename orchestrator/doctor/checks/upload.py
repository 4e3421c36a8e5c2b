"""Checks that a job has what its sweep names: the upload is small enough, and nothing of it is left out."""

from collections.abc import Iterator

from jobs.locations import STORAGE
from orchestrator.doctor.facts import NamedFile, Upload
from orchestrator.doctor.finding import Finding, fail, ok, warn

NAME = "upload"
LIMIT_BYTES = 100 * 2**20
"""Ray refuses larger uploads (HTTP 413); it packs without compressing."""

_NEAR = 0.8
_NAMED = 3
_SHARED = (
    "put it where every machine of the cluster sees it, and name that: s3://BUCKET/PATH, or an absolute path on a "
    "shared file system"
)


def judge(upload: Upload) -> Iterator[Finding]:
    """Check the size of the upload, and what the sweep names by a relative path."""
    yield _judge_size(upload)
    for each in upload.named:
        if each.is_relative and (problem := _problem(each, upload.folder)):
            yield fail(NAME, f"{each.where}: {problem}", _SHARED)


def _judge_size(upload: Upload) -> Finding:
    sizes = upload.sizes
    total = sum(sizes.values())
    found = f"{upload.folder}: {len(sizes)} files, {total / 2**20:.1f} of {LIMIT_BYTES / 2**20:.0f} MiB"
    if total < _NEAR * LIMIT_BYTES:
        return ok(NAME, found)
    largest = sorted(sizes, key=lambda path: -sizes[path])[:_NAMED]
    found += "; largest: " + ", ".join(f"{path} ({sizes[path] / 2**20:.1f} MiB)" for path in largest)
    remedy = "add them to .gitignore, or submit from a smaller folder (--working-dir); data and weights are read by URI"
    return (fail if total >= LIMIT_BYTES else warn)(NAME, found, remedy)


def _problem(named: NamedFile, folder: str) -> str:
    """Why a job does not have what a relative path names; empty where it has all of it."""
    if named.where == STORAGE:
        return (
            f"{named.written} is relative: results would be in the job's copy of {folder}, which goes away with the job"
        )
    if not named.num_here:
        return f"{named.written} is not below {folder}, and a job has nothing else of this machine"
    missing = named.num_here - named.num_sent
    if not missing:
        return ""
    what = (
        f"{missing} of the {named.num_here} files in {named.written} are"
        if named.num_here > 1
        else (f"{named.written} is")
    )
    return f"{what} left out of the upload, as weights are and what .gitignore or .rayignore names"
