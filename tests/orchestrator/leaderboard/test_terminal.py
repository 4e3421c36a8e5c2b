"""Boards in terminals of several widths."""

import io

import pytest
from ranked import entry, sweep
from rich.console import Console

from jobs.spec.needs import DataNeed
from orchestrator.leaderboard import Overview, boards_of

METHODS = ["integral-least-error-refitted", "l1-least-error", "random"]
SEEDS = {seed: {1.5: 0.8 + seed / 10, 3.0: 0.7 + seed / 10, 20.0: 0.3} for seed in range(2)}


@pytest.fixture
def board():
    entries = [entry(name, SEEDS, need=DataNeed.UNLABELLED, planned=(0, 1, 2)) for name in METHODS]
    return boards_of([sweep(*entries), sweep(entry("random", SEEDS, sweep="second", shared=True), name="second")])[0]


def printed(board, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(Overview(board=board))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 100])
def test_names_numbers_and_places_are_whole_in_a_narrow_terminal(board, width):
    lines = printed(board, width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert all(name in words for name in METHODS)
    assert words.count("(2/3)") == 3 * 6
    assert sorted(word for word in words if word.startswith("#")) == sorted(["#1", "#2", "#3", "#4"] * 6)
    assert words.count("unlabelled") == 3
    assert [word for word in words if word in ("2x", "4x", "8x")] == ["2x", "4x", "8x"] * 2


def test_methods_of_one_name_are_told_apart_by_their_sweep(board):
    words = " ".join(printed(board, 80)).split()
    assert words[words.index("(second)") - 1] == "random"
    assert "(first)" in words


def test_macs_and_parameters_have_tables_of_their_own_where_there_is_no_room_for_both(board):
    heads = [line for line in printed(board, 100) if "method" in line]
    assert [("MACs" in line, "parameters" in line) for line in heads] == [(False, False), (True, False), (False, True)]


def test_in_a_wide_terminal_all_is_one_table():
    (board,) = boards_of([sweep(*(entry(name, SEEDS) for name in METHODS))])
    lines = printed(board, 160)
    heads = [line for line in lines if "method" in line]
    assert len(heads) == 1
    assert heads[0].split()[:4] == ["method", "sweep", "data", "needed"]
    assert [word for word in heads[0].split() if word in ("2x", "4x", "8x")] == ["2x", "4x", "8x"] * 2
    first = next(line for line in lines if METHODS[0] in line)
    assert first.split()[:7] == [METHODS[0], "first", "none", "80.8", "±", "7.1", "#1"]
