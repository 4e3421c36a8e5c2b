"""Boards for the terminal, in whatever layout fits it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from orchestrator.leaderboard.boards import Board
from orchestrator.leaderboard.tables import DOUBLE_DAGGER, overview_head, overview_rows
from orchestrator.report.table import STOPPED_WORDS
from orchestrator.report.terminal import in_blocks, plain_table, table_width

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

_NAMES = 3
"""The columns of an overview ahead of its levels: method, sweep, data needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The overview of a board that rich prints: one table where that fits the terminal.

    Else one of what the methods are, then those of their levels: of MACs and of parameters apart, and in as many blocks
    as it takes. No number is cut off.

    Attributes:
        board: The board.
    """

    board: Board

    @property
    def title(self) -> str:
        """What the numbers are."""
        board = self.board
        dense = "" if board.dense is None else f", dense {board.metric.text(board.dense)}"
        return f"{board.model} on {board.dataset}: {board.metric.quantity}{dense}"

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        """The widest layout that fits."""
        from rich.text import Text

        yield Text(self.title, style="italic")
        yield from self._tables(console, options)
        rows = [row for ranking in self.board.rankings for row in ranking.rows]
        if any(row.stopped for row in rows):
            yield Text(STOPPED_WORDS)
        if any(row.sparse for row in rows):
            yield Text(f"{DOUBLE_DAGGER}: sparse, not smaller: zeros in tensors as large as the dense network's.")

    def _tables(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        head, rows = overview_head(self.board), [cells for _, cells in overview_rows(self.board)]
        whole = _table(head, rows, names=_NAMES)
        if table_width(whole, console) <= options.max_width:
            yield whole
            return
        yield _table(head[:_NAMES], [cells[:_NAMES] for cells in rows], names=_NAMES)
        names = _unique([cells[0] for cells in rows], [cells[1] for cells in rows])
        levels = enumerate(self.board.rankings, _NAMES)
        for _, same in groupby(levels, key=lambda each: each[1].level.cost):
            columns = [column for column, _ in same]

            def block(part: slice, columns: Sequence[int] = columns) -> "Table":
                shown = columns[part]
                lines = [[name, *(cells[each] for each in shown)] for name, cells in zip(names, rows, strict=True)]
                return _table([head[0], *(head[each] for each in shown)], lines, names=1)

            yield from in_blocks(block, len(columns), console, options.max_width)


def _unique(methods: Sequence[str], sweeps: Sequence[str]) -> list[str]:
    """The methods, with their sweeps where several have one name."""
    return [
        f"{method} ({sweep})" if methods.count(method) > 1 else method
        for method, sweep in zip(methods, sweeps, strict=True)
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], names: int) -> "Table":
    from rich.text import Text

    table = plain_table(head, names=names)
    for cells in rows:
        table.add_row(*map(Text, cells))  # as text: names may hold what rich takes for markup
    return table
