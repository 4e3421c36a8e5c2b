"""Where commands print their tables."""

import os
import sys

from rich.console import Console

_WIDE = 200


def output_console(wide: int = _WIDE) -> Console:
    """As wide as the terminal, or as `COLUMNS` says; files and pipes get wide tables.

    Args:
        wide: Columns where nobody says how many there are.
    """
    told = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(width=None if told else wide)
