"""The leaderboard as static pages: an index, a page for each model and data set, the sweep files, and all rows as CSV.

The templates are `index.html.j2` and `board.html.j2`. Pages link to one another and to nothing else.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from jobs.spec.needs import DataNeed
from orchestrator.leaderboard.boards import Board, Ranking
from orchestrator.leaderboard.entries import RankedSweep
from orchestrator.leaderboard.tables import (
    RANKING_HEAD,
    board_csv,
    overview_head,
    overview_rows,
    ranking_row,
    unreached_text,
)
from orchestrator.report.html import Table, template
from orchestrator.report.table import MISSING

NEEDS: Mapping[DataNeed, str] = {
    DataNeed.NONE: "the weights alone",
    DataNeed.UNLABELLED: "images without labels",
    DataNeed.LABELLED: "images with labels, no training of weights",
    DataNeed.TRAINING: "training of weights",
}
"""The data that methods need, as people read it."""

INDEX, TABLE = "index.html", "leaderboard.csv"
HOME_LINK = f'<a href="{INDEX}">Leaderboard</a>'
"""The link of every other page to it."""

_SHOWN = 12
"""Hexadecimal characters of a digest that a page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A level on the page of a board."""

    title: str
    table: Table
    unreached: str


def board_files(boards: Sequence[Board], sweeps: Sequence[RankedSweep]) -> dict[str, bytes]:
    """All files of a leaderboard, by their path in its folder.

    Args:
        boards: The boards of the sweeps.
        sweeps: The sweeps.
    """
    links = {sweep.name: _link(sweep) for sweep in sweeps}
    pages = _page_names(boards)
    folder, shared = Path(__file__).parent, {"needs": NEEDS, "missing": MISSING, "home": Markup(HOME_LINK)}
    overviews = [(pages[number], board, _overview(board, links)) for number, board in enumerate(boards)]
    index = template("index.html.j2", folder).render(overviews=overviews, sweeps=_sweeps(sweeps, links), **shared)
    files = {INDEX: index, TABLE: board_csv(boards, sweeps)}
    files |= {_sweep_file(sweep): sweep.yaml for sweep in sweeps}
    for number, board in enumerate(boards):
        sections = [_section(board, ranking, links) for ranking in board.rankings]
        files[pages[number]] = template("board.html.j2", folder).render(board=board, sections=sections, **shared)
    return {name: text.encode() for name, text in files.items()}


def _page_names(boards: Sequence[Board]) -> list[str]:
    """A file name for each board; two whose names differ only in what files cannot have are numbered."""
    found: list[str] = []
    for board in boards:
        plain = re.sub(r"[^A-Za-z0-9._-]", "-", f"{board.model}-{board.dataset}")
        name, number = f"board-{plain}.html", 2
        while name in found:
            name, number = f"board-{plain}-{number}.html", number + 1
        found.append(name)
    return found


def _sweep_file(sweep: RankedSweep) -> str:
    return f"sweeps/{sweep.name}.yaml"


def _link(sweep: RankedSweep) -> Markup:
    """A sweep's name as a link to its file, and the beginning of its digest."""
    return Markup('<a href="{}">{}</a> <code title="sha256 {}">{}</code>').format(
        _sweep_file(sweep), sweep.name, sweep.digest, sweep.digest[:_SHOWN]
    )


def _sweeps(sweeps: Sequence[RankedSweep], links: Mapping[str, Markup]) -> Table:
    rows = [[links[sweep.name], sweep.digest] for sweep in sweeps]
    return Table(head=("sweep", "sha256 of its file"), rows=rows, names=2)


def _overview(board: Board, links: Mapping[str, Markup]) -> Table:
    rows = [[cells[0], links[entry.sweep], *cells[2:]] for entry, cells in overview_rows(board)]
    return Table(head=overview_head(board), rows=rows, names=3)


def _section(board: Board, ranking: Ranking, links: Mapping[str, Markup]) -> _Section:
    rows = [[*ranking_row(place, row), links[row.entry.sweep]] for place, row in enumerate(ranking.rows, 1)]
    head = [board.metric.quantity if name == "metric" else name for name in RANKING_HEAD]
    table = Table(head=[*head, "sweep"], rows=rows, names=3)
    return _Section(title=ranking.level.title, table=table, unreached=unreached_text(ranking))
