"""`orchard search`, run for real: small networks, in this process."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from orchestrator.cli import main
from orchestrator.driver.lease import DriverLease
from orchestrator.results import SweepRecord
from orchestrator.store import Lease, open_store

BLANK_TEST = '''
import torch
from workers.data.digits import load_digits
from workers.data.images import ImageData, Split


def make(root=None):
    """The digits, but on test every image is blank and every class as frequent: all networks have 10 % there."""
    data = load_digits()
    blank = Split(images=torch.zeros(50, 1, 8, 8), targets=torch.arange(50) % 10)
    return ImageData(
        train=data.train, validation=data.validation, test=blank, num_classes=10, input_shape=data.input_shape
    )
'''


@pytest.fixture
def search(capsys, tmp_path, monkeypatch):
    """Runs the command in a folder of its own; gives exit code, output and error output."""
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments: object, command: str = "search") -> tuple[int, str, str]:
        code = 0
        more = ("--backend", "inline") if command == "search" else ()
        try:
            main([command, *map(str, arguments), *more])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def computed(tmp_path_factory) -> Path:
    """A place for the store of the search, once a test has run it."""
    return tmp_path_factory.mktemp("computed") / "store"


@pytest.fixture
def blank(tiny_sweep, write_sweep, tmp_path, database, search, computed) -> Path:
    """A sweep whose networks all do equally well on test, of which the search has run."""
    (tmp_path / "blank_test.py").write_text(BLANK_TEST)
    tiny_sweep["data"] = {"dataset": "blank_test:make"}
    tiny_sweep["models"]["net"]["train"] = {"epochs": 3, "batch_size": 32, "learning_rate": 0.05}
    path = write_sweep(tiny_sweep)
    if computed.exists():
        shutil.copytree(computed, tmp_path / "store")
    else:
        code, out, _ = search(path, "--within", 2)
        assert code == 0
        assert "Round 1 of at most 7: net/l1 at 48 %" in out
        shutil.copytree(tmp_path / "store", computed)
    return path


def lines(out: str) -> list[str]:
    return [line.rstrip() for line in out.splitlines()]


def found(out: str) -> int:
    """The compression of the table's one row, in whole percent."""
    (row,) = [line.split() for line in lines(out) if line.split()[:2] == ["net", "l1"]]
    return int(row[2])


def splits(store, sweep: str) -> set[str]:
    """What the points of a sweep were evaluated on."""
    record = SweepRecord.from_json(store.read_sweep(sweep))
    keys = [point.key for curve in record.curves for point in curve.points]
    manifests, _ = store.manifests(keys)
    assert manifests.keys() == set(keys)
    return {manifest.identity["params"]["split"] for manifest in manifests.values()}


@pytest.mark.slow
class TestASearch:
    def test_that_has_run_has_nothing_to_compute(self, search, blank):
        code, out, _ = search(blank, "--within", 2)
        assert code == 0
        assert lines(out)[-1] == "Nothing to compute: every result was in the store."

    def test_chooses_on_the_validation_split_and_reports_on_test(self, search, blank, tmp_path):
        _, out, _ = search(blank, "--within", 2)
        # On test, where nothing is ever lost, it would have found the largest one that it may try.
        assert 0 < found(out) < 95
        (row,) = [line.split() for line in lines(out) if line.split()[:2] == ["net", "l1"]]
        assert row[6:8] == ["10.0", "10.0"]  # on test, and of the dense network there
        store = open_store(tmp_path / "store")
        assert splits(store, "tiny-search") == {"validation"}
        assert splits(store, "tiny-found") == {"test"}

    def test_finds_a_boundary(self, search, blank):
        _, out, _ = search(blank, "--within", 2)
        percent = found(out)
        assert next(line for line in lines(out) if line.startswith(f"  net/l1 at {percent} %: ")).endswith(": holds")
        (above,) = [line for line in lines(out) if line.startswith(f"  net/l1 at {percent + 1} %: ")]
        assert above.endswith(": does not hold")

    def test_leaves_a_sweep_to_choose_from(self, search, blank, tmp_path):
        _, out, _ = search(blank, "--within", 2)
        code, listed, _ = search("tiny-found", "--storage", tmp_path / "store", "--json", command="best")
        assert code == 0
        first, dense = json.loads(listed)["networks"]
        assert (first["method"], round(100 * first["compression"])) == ("l1", found(out))
        assert dense["method"] == "dense"
        assert f"Export the smallest one: {first['export']}" in lines(out)

    def test_tells_where_nothing_holds(self, search, blank, tmp_path, monkeypatch):
        monkeypatch.setattr("orchestrator.search.progress.is_within", lambda network, within: False)
        code, out, _ = search(blank, "--within", 0.5, "--up-to", 0.01)
        assert code == 0
        assert "net/l1: no compression that was tried is within 0.5 % of the dense network" in lines(out)
        assert list(SweepRecord.from_json(open_store(tmp_path / "store").read_sweep("tiny-found")).spec["methods"]) == [
            "dense"
        ]

    def test_that_is_out_of_budget_stops_and_the_next_one_continues(self, search, blank):
        code, out, _ = search(blank, "budget.wall_hours=1e-9", "seeds=[1]", "--up-to", 0.01)
        assert code == 3
        assert "Stopped: budget.wall_hours" in out
        assert search(blank, "seeds=[1]", "--up-to", 0.01)[0] == 0

    def test_that_runs_already_is_not_run_twice(self, search, blank, tmp_path):
        store = open_store(tmp_path / "store")
        with DriverLease(store, Lease.acquire(store.files, "tiny-search")):
            code, _, err = search(blank, "--within", 2)
        assert code == 1
        assert "tiny-search" in err


def test_a_method_that_cannot_be_searched_gives_exit_code_2(search, tiny_sweep, write_sweep):
    code, out, err = search(write_sweep(tiny_sweep), "--method", "dense")
    assert (code, out) == (2, "")
    assert "method 'dense' removes nothing" in err


def test_a_task_that_fails_for_another_reason_ends_the_search_with_exit_code_1(
    search, tiny_sweep, write_sweep, tmp_path, database
):
    (tmp_path / "broken_net.py").write_text("def broken(**arguments): raise RuntimeError('this network has a bug')\n")
    tiny_sweep["models"] = {"net": {"network": "broken_net:broken", "train": {"epochs": 1}}}
    code, out, _ = search(write_sweep(tiny_sweep))
    assert code == 1
    assert "this network has a bug" in out
    assert "Round 2" not in out
