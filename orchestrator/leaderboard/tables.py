"""Boards as rows of text: for the terminal and for pages, and as CSV. Pure."""

import csv
import io
from collections.abc import Sequence

from orchestrator.leaderboard.boards import Board, Ranking, Standing
from orchestrator.leaderboard.entries import Entry, RankedSweep
from orchestrator.report.table import DAGGER, MISSING

DOUBLE_DAGGER = "‡"
"""Shown where a network is sparse, not smaller."""


def overview_head(board: Board) -> list[str]:
    """The columns of `overview_rows`."""
    return ["method", "sweep", "data needed", *(f"{each.level.factor:g}x {each.level.cost}" for each in board.rankings)]


def overview_rows(board: Board) -> list[tuple[Entry, list[str]]]:
    """Every method with what it reaches at every level, with its place; the better ones first."""
    rows = []
    for entry in board.entries:
        cells = [entry.name, entry.sweep, entry.need.value]
        for ranking in board.rankings:
            place = ranking.place(entry)
            cells.append(MISSING if place is None else f"{value_text(ranking.rows[place - 1])} #{place}")
        rows.append((entry, cells))
    return rows


RANKING_HEAD = ("", "method", "data needed", "metric", "to dense", "p (pairs)", "time to prune", "seeds")
"""The columns of `ranking_row`; that of the metric is called as the metric is."""


def ranking_row(place: int, row: Standing) -> list[str]:
    """A method's row at a level."""
    metric, entry = row.entry.metric, row.entry
    return [
        str(place),
        entry.name,
        entry.need.value,
        value_text(row),
        MISSING if row.change is None else metric.change(row.change),
        "" if row.test is None else str(row.test),
        MISSING if row.seconds is None else seconds_text(row.seconds),
        _seeds_text(row),
    ]


def value_text(row: Standing) -> str:
    """The metric at a level as people read it: the deviation where results differ, the seeds where some are missing.

    A dagger says that a training stopped in a race, a double one that the networks are sparse, not smaller.
    """
    metric, found, asked = row.entry.metric, len(row.found), len(row.entry.planned)
    deviation = "" if row.deviation is None else f" ± {metric.text(row.deviation)}"
    seeds = f" ({found}/{asked})" if found < asked else ""
    marks = f"{f' {DAGGER}' if row.stopped else ''}{f' {DOUBLE_DAGGER}' if row.sparse else ''}"
    return f"{metric.text(row.value)}{deviation}{seeds}{marks}"


def _seeds_text(row: Standing) -> str:
    """How many seeds reach the level, and in how many different results."""
    found, results = len(row.found), row.num_networks
    if results == found:
        return str(found)
    return f"{found}, one result" if results == 1 else f"{found}, {results} results"


def seconds_text(seconds: float) -> str:
    """A duration as people read it."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def unreached_text(ranking: Ranking) -> str:
    """The methods that do not reach a level; empty where there are none."""
    return ", ".join(entry.name for entry in ranking.unreached)


def board_csv(boards: Sequence[Board], sweeps: Sequence[RankedSweep]) -> str:
    """Every row of every ranking as CSV; floats round-trip exactly."""
    text, digests = io.StringIO(), {sweep.name: sweep.digest for sweep in sweeps}
    writer = csv.writer(text, lineterminator="\n")
    head = ["model", "dataset", "cost", "factor", "place", "method", "protocol", "data", "metric", "mean", "deviation"]
    numbered = ["to_dense", "p", "pairs", "seconds", "seeds", "planned", "results"]
    writer.writerow([*head, *numbered, "stopped", "sparse", "sweep", "sweep_sha256"])
    for board in boards:
        for ranking in board.rankings:
            level = [board.model, board.dataset, ranking.level.cost, ranking.level.factor]
            for place, row in enumerate(ranking.rows, 1):
                names = [place, row.entry.method, row.entry.protocol, row.entry.need.value, board.metric.name]
                test = [row.test and row.test.p, row.test and row.test.pairs]
                numbers = [row.value, row.deviation, row.change, *test, row.seconds]
                seeds = [len(row.found), len(row.entry.planned), row.num_networks]
                marks = ["yes" if marked else "no" for marked in (row.stopped, row.sparse)]
                writer.writerow([*level, *names, *numbers, *seeds, *marks, row.entry.sweep, digests[row.entry.sweep]])
            for entry in ranking.unreached:
                names = ["", entry.method, entry.protocol, entry.need.value, board.metric.name]
                unknown, planned = [""] * 7, len(entry.planned)
                writer.writerow([*level, *names, *unknown, planned, "", "", "", entry.sweep, digests[entry.sweep]])
    return text.getvalue()
