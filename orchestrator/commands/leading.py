"""`orchard leaderboard`: ranks the methods of sweeps, as static pages."""

from collections.abc import Sequence
from pathlib import Path

import click

from orchestrator.commands.consoles import output_console
from orchestrator.commands.locating import find_record


def leaderboard(names: Sequence[str], *, storage: str, out: str) -> None:
    """Write the leaderboard of sweeps, and print its overview and where it is.

    Raises:
        BadInputError: No such sweep was run with this store, nothing of one is measured, or they cannot be compared.
    """
    from orchestrator.leaderboard import Overview, board_files, boards_of, read_sweep, write_board

    sweeps = [read_sweep(*find_record(name, storage)) for name in names]
    boards = boards_of(sweeps)
    folder = Path(out)
    write_board(board_files(boards, sweeps), folder)
    console = output_console()
    for board in boards:
        console.print(Overview(board=board))
    click.echo(f"#1 is the best at a level, — is not reached. Pages: {folder / 'index.html'}")
