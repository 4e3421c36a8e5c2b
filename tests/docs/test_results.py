"""The page of results has the tables that the committed points give."""

from pathlib import Path

from benchmarks.tables import page

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


def test_its_tables_are_those_of_the_committed_points():
    assert "\n".join(page()).strip() in PAGE.read_text()
