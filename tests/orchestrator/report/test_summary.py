"""Means and deviations over seeds, and the tables of the terminal."""

import io
import math

import pytest
from hand_made import make_curve
from rich.console import Console

from orchestrator.report import summarize, summary_tables
from orchestrator.report.table import protocols_told


def row(curves, method: str):
    return next(row for row in summarize(curves).rows if row.method == method)


def test_mean_and_sample_deviation_over_the_seeds(curves):
    cell = row(curves, "l1").cells[0]
    assert cell.value == pytest.approx(0.85)  # (0.9 + 0.8) / 2
    assert cell.deviation == pytest.approx(math.sqrt(0.005))  # ((0.05)^2 + (0.05)^2) / (2 - 1)
    assert cell.reached == pytest.approx(0.205)  # (0.20 + 0.21) / 2
    assert str(cell) == "85.0 ± 7.1"


def test_a_point_of_one_seed_of_two_says_so(curves):
    assert str(row(curves, "l1").cells[1]) == "50.0 (1/2)"


def test_missing_is_a_dash_and_never_asked_for_is_blank(curves):
    summary = summarize(curves)
    assert summary.asked == (0.0, 0.2, 0.4)
    assert summary.texts(row(curves, "integral")) == ["", "95.0 ± 0.0", "—"]
    assert summary.texts(row(curves, "dense")) == ["97.0 ± 1.4", "", ""]


def test_only_what_was_asked_to_remove_nothing_is_dense(curves):
    assert [row.method for row in summarize(curves).rows if row.dense] == ["dense"]


def test_same_method_with_two_protocols_gives_two_rows():
    curves = [make_curve("l1", 0, {0.2: 0.5}), make_curve("l1", 0, {0.2: 0.7}, protocol="finetune")]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*summary_tables(curves))
    text = console.export_text()
    assert "l1 · none" in text
    assert "l1 · finetune" in text


def test_a_figure_names_protocols_but_none_where_it_shows_several():
    curves = [make_curve(name, 0, {0.2: 0.5}, protocol=protocol) for name, protocol in (("l1", "none"), ("l2", "ft"))]
    assert protocols_told(summarize(curves).rows) == {"l2"}
    assert protocols_told(summarize(curves[1:]).rows) == set()


def test_terminal_table_of_five_methods_fits_80_columns(curves):
    more = [make_curve(name, seed, {0.2: 0.123}) for name in ("random", "integral-tuned") for seed in (0, 1)]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*summary_tables([*curves, *more]))
    text = console.export_text()
    assert "integral-tuned" in text
    assert "85.0±7.1" in text
    assert "…" not in text


def test_terminal_table_takes_names_as_they_are():
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*summary_tables([make_curve("[red]x", 0, {0.2: 0.5})]))
    assert "[red]x" in console.export_text()
