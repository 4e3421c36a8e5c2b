"""What is wrong with a sweep file, by where."""

from pathlib import Path

import pytest

from jobs.errors import InvalidFileError
from jobs.load import load_sweep


def faults_of(path: Path, *overrides: str) -> dict[str, str]:
    """The problem at each path of a sweep that is refused.

    Args:
        path: the sweep file.
        overrides: as on the command line.
    """
    with pytest.raises(InvalidFileError) as caught:
        load_sweep(path, overrides)
    return {fault.path: fault.problem for fault in caught.value.faults}
