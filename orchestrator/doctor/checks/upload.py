"""Checks that the working directory is small enough to be uploaded."""

from collections.abc import Mapping

from orchestrator.doctor.finding import Finding, fail, ok, warn

NAME = "upload"
LIMIT_BYTES = 100 * 2**20
"""Ray refuses larger uploads (HTTP 413); it packs without compressing."""

_NEAR = 0.8
_NAMED = 3


def judge(sizes: Mapping[str, int], folder: str) -> Finding:
    """Check the size of the upload.

    Args:
        sizes: Size in bytes by path, of all files that Ray would upload.
        folder: The working directory.
    """
    total = sum(sizes.values())
    found = f"{folder}: {len(sizes)} files, {total / 2**20:.1f} of {LIMIT_BYTES / 2**20:.0f} MiB"
    if total < _NEAR * LIMIT_BYTES:
        return ok(NAME, found)
    largest = sorted(sizes, key=lambda path: -sizes[path])[:_NAMED]
    found += "; largest: " + ", ".join(f"{path} ({sizes[path] / 2**20:.1f} MiB)" for path in largest)
    remedy = "add them to .gitignore, or submit from a smaller folder (--working-dir); data and weights are read by URI"
    return (fail if total >= LIMIT_BYTES else warn)(NAME, found, remedy)
