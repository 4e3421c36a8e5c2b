"""The folder of a leaderboard: its files are written, those of an earlier one that it does not have are removed."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from jobs.errors import BadInputError
from orchestrator.leaderboard.page import HOME_LINK, INDEX, TABLE

_TITLE = "<title>Leaderboard</title>"
_PAGE = re.compile(r'<h2><a href="(board-[A-Za-z0-9._-]+\.html)">')
_SWEEP = re.compile(r'<a href="(sweeps/[^"/]+\.yaml)">[^<]*</a> <code title="sha256 ([0-9a-f]{64})">')


def write_board(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a leaderboard into a folder, which is created if needed, to be read by whom the umask says.

    Pages and sweep files of an earlier leaderboard that this one does not have are removed: they would be taken for its
    own.

    Args:
        files: All files, by their path in the folder.
        folder: The folder.

    Raises:
        BadInputError: A file of that name is there which no leaderboard wrote, or which was changed since, or the
            folder cannot be written.
    """
    earlier = set(_earlier(folder))
    kept = next((name for name in files if name not in earlier and (folder / name).exists()), None)
    if kept is not None:
        raise BadInputError(
            f"{folder / kept}: is no file of a leaderboard, or was changed since; move it away, or give another folder "
            "(--out)"
        )
    try:
        for name in earlier - files.keys():
            (folder / name).unlink()
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise BadInputError(f"{folder}: cannot be written ({error}); give another folder (--out)") from None


def _earlier(folder: Path) -> Iterator[str]:
    """The files that a leaderboard wrote there and that are still as it wrote them; its index links to all."""
    index = folder / INDEX
    if not index.is_file():
        return
    text = index.read_text(encoding="utf-8", errors="replace")
    if _TITLE not in text:
        return
    yield from (INDEX, TABLE)
    for name in set(_PAGE.findall(text)):
        page = folder / name
        if page.is_file() and HOME_LINK in page.read_text(encoding="utf-8", errors="replace"):
            yield name
    for name, digest in set(_SWEEP.findall(text)):
        sweep = folder / name
        if sweep.is_file() and hashlib.sha256(sweep.read_bytes()).hexdigest() == digest:
            yield name
