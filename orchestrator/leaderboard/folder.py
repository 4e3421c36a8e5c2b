"""The folder of a leaderboard: its files are written, those of an earlier one that it does not have are removed."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from orchestrator.leaderboard.page import HOME_LINK, INDEX
from orchestrator.private import make_private

_PAGE = re.compile(r'<h2><a href="(board-[A-Za-z0-9._-]+\.html)">')
_SWEEP = re.compile(r'<a href="(sweeps/[^"/]+\.yaml)">[^<]*</a> <code title="sha256 ([0-9a-f]{64})">')


def write_board(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a leaderboard into a folder, which is created if needed, for its owner alone.

    Pages and sweep files of an earlier leaderboard that this one does not have are removed: they would be taken for its
    own.

    Args:
        files: All files, by their path in the folder.
        folder: The folder.
    """
    for path in list(_earlier(folder, files)):
        path.unlink()
    for name, content in files.items():
        path = folder / name
        make_private(path.parent)
        path.write_bytes(content)


def _earlier(folder: Path, written: Collection[str]) -> Iterator[Path]:
    """What the index there links to, as a leaderboard wrote it; sweep files that were changed since are not ours."""
    index = folder / INDEX
    if not index.is_file():
        return
    text = index.read_text(encoding="utf-8", errors="replace")
    for name in set(_PAGE.findall(text)) - set(written):
        page = folder / name
        if page.is_file() and HOME_LINK in page.read_text(encoding="utf-8", errors="replace"):
            yield page
    for name, digest in set(_SWEEP.findall(text)):
        sweep = folder / name
        if name not in written and sweep.is_file() and hashlib.sha256(sweep.read_bytes()).hexdigest() == digest:
            yield sweep
