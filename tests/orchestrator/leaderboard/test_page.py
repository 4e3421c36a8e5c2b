"""The pages of made-up boards."""

import csv
import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from ranked import entry, sweep
from rich.console import Console

from orchestrator.leaderboard import Board, Overview, board_files, boards_of
from orchestrator.leaderboard.tables import ranking_row
from orchestrator.results import Kept


@pytest.fixture
def files() -> dict[str, str]:
    seeds = {seed: {1.5: 0.8 + seed / 100, 3.0: 0.7, 5.0: 0.5} for seed in range(3)}
    sweeps = [
        sweep(entry("<l1>", seeds), entry("fold", {0: {1.5: 0.6, 3.0: 0.6}}, seconds=None)),
        sweep(entry("other", {0: {3.0: 0.9}}, sweep="b"), name="b"),
    ]
    return {name: content.decode() for name, content in board_files(boards_of(sweeps), sweeps).items()}


class Links(HTMLParser):
    """What a page points at or loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src")]


def printed(board: Board) -> str:
    terminal = Console(width=80, file=io.StringIO())
    terminal.print(Overview(board=board))
    return terminal.file.getvalue()


def test_there_is_an_index_a_page_for_each_board_the_sweeps_and_all_rows(files):
    assert set(files) == {
        "index.html",
        "board-net-digits.html",
        "leaderboard.csv",
        "sweeps/first.yaml",
        "sweeps/b.yaml",
    }


def test_links_lead_to_files_of_the_folder_and_nothing_is_loaded(files):
    links = {link for name, page in files.items() if name.endswith(".html") for link in Links(page).found}
    assert links == {"index.html", "board-net-digits.html", "leaderboard.csv", "sweeps/first.yaml", "sweeps/b.yaml"}


def test_a_row_has_place_method_data_metric_test_time_seeds_and_its_sweep_with_digest(files):
    section = files["board-net-digits.html"].split("<h2>2x fewer MACs</h2>")[1].split("<h2>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", section, re.DOTALL)[1:]]
    assert rows[0][:8] == ["1", "&lt;l1&gt;", "none", "76.4 ± 0.6", "-13.6", "", "10.0 s", "3"]
    assert rows[1][:8] == ["2", "fold", "none", "60.0", "-30.0", "one pair", "—", "1"]
    assert re.fullmatch(r'<a href="sweeps/first.yaml">first</a> <code title="sha256 \w{64}">\w{12}</code>', rows[0][8])
    assert "<p>Not reached by other.</p>" in section


def test_a_level_that_none_reaches_says_so(files):
    assert "No method has points on both sides" in files["board-net-digits.html"].split("<h2>8x fewer MACs</h2>")[1]


def test_the_csv_has_every_method_at_every_level(files):
    rows = list(csv.DictReader(io.StringIO(files["leaderboard.csv"])))
    assert len(rows) == 3 * 6
    assert rows[0]["method"] == "<l1>"
    assert float(rows[0]["mean"]) == pytest.approx(0.81 - 0.11 * math.log2(2 / 1.5))
    assert [row["place"] for row in rows[:3]] == ["1", "2", ""]


def test_boards_whose_names_differ_in_signs_alone_have_pages_of_their_own():
    sweeps = [
        sweep(entry("l1", {0: {2.0: 0.5}}, sweep=dataset), name=dataset, dataset=dataset) for dataset in ("a:b", "a-b")
    ]
    assert {"board-net-a-b.html", "board-net-a-b-2.html"} <= set(board_files(boards_of(sweeps), sweeps))


def test_a_training_that_stopped_in_its_race_has_a_dagger():
    plain, stopped = entry("plain", {0: {1.5: 0.8, 3.0: 0.8}}), entry("stopped", {0: {1.5: 0.6, 3.0: 0.6}})
    first, *others = stopped.networks[0]
    early = replace(first, point=replace(first.point, metrics={**first.point.metrics, "stopped_after": 0.3}))
    sweeps = [sweep(plain, replace(stopped, networks={0: (early, *others)}))]
    boards = boards_of(sweeps)
    rows = [ranking_row(place, row) for place, row in enumerate(boards[0].rankings[0].rows, 1)]
    assert [row[3] for row in rows] == ["80.0", "60.0 †"]
    written = csv.DictReader(io.StringIO(board_files(boards, sweeps)["leaderboard.csv"].decode()))
    assert [row["stopped"] for row in written][:4] == ["no", "yes", "", ""]
    assert "†: out of its race" in printed(boards[0])


def test_networks_without_single_weights_are_marked_as_sparse():
    smaller, sparse = entry("smaller", {0: {1.5: 0.8, 3.0: 0.8}}), entry("sparse", {0: {1.5: 0.9, 3.0: 0.9}})
    weights = {"weights": Kept(left={"a": 1}, full={"a": 2})}
    masked = tuple(replace(each, point=replace(each.point, kept=weights)) for each in sparse.networks[0])
    sweeps = [sweep(smaller, replace(sparse, networks={0: masked}))]
    boards = boards_of(sweeps)
    rows = [ranking_row(place, row) for place, row in enumerate(boards[0].rankings[0].rows, 1)]
    assert [row[3] for row in rows] == ["90.0 ‡", "80.0"]
    files = {name: content.decode() for name, content in board_files(boards, sweeps).items()}
    told = [row["sparse"] for row in csv.DictReader(io.StringIO(files["leaderboard.csv"]))]
    assert told[:4] == ["yes", "no", "", ""]
    assert "‡: sparse, not smaller" in files["index.html"]
    assert "‡: sparse, not smaller" in printed(boards[0])


def test_planned_seeds_of_which_nothing_is_measured_are_told():
    sweeps = [sweep(entry("some", {0: {1.5: 0.8, 3.0: 0.8}}, planned=(0, 1, 2)), entry("far", {0: {1.5: 0.1}}))]
    boards = boards_of(sweeps)
    assert ranking_row(1, boards[0].rankings[0].rows[0])[3] == "80.0 (1/3)"
    some, far = list(csv.DictReader(io.StringIO(board_files(boards, sweeps)["leaderboard.csv"].decode())))[:2]
    assert (some["seeds"], some["planned"], some["results"]) == ("1", "3", "1")
    assert (far["seeds"], far["planned"], far["results"], far["sweep"]) == ("", "1", "", "first")


def test_seeds_that_miss_a_level_are_told_and_so_is_one_result_of_all():
    some = entry("some", {0: {1.5: 0.8, 3.0: 0.8}, 1: {2.5: 0.5, 3.0: 0.5}})
    shared = entry("shared", {seed: {1.5: 0.6, 3.0: 0.6} for seed in range(3)}, shared=True)
    (board,) = boards_of([sweep(some, shared)])
    rows = [ranking_row(place, row) for place, row in enumerate(board.rankings[0].rows, 1)]
    assert [(row[3], row[7]) for row in rows] == [("80.0 (1/2)", "1"), ("60.0", "3, one result")]
