"""`orchard leaderboard`, as a user sees it."""

import pytest
from chosen_networks import stored_results

from orchestrator.cli import main
from orchestrator.store import open_store

RESULTS = {("dense", 0.0): 0.97, ("l1", 0.2): 0.96, ("l1", 0.4): 0.9}


@pytest.fixture
def sweep(tiny_sweep, write_sweep) -> str:
    return str(write_sweep(tiny_sweep))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["leaderboard", *arguments])
    return int(stop.value.code or 0)


def test_it_prints_an_overview_and_writes_pages(sweep, tmp_path, capsys):
    stored_results(open_store(tmp_path / "store"), tmp_path / "sweep.yaml", RESULTS)
    out = tmp_path / "board"
    main(["leaderboard", sweep, "--out", str(out)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "net on digits: accuracy (%), dense 97.0"
    assert lines[2].split()[:5] == ["method", "sweep", "data", "needed", "2x"]
    assert lines[4].split() == ["l1", "tiny", "none", *["—"] * 6]  # no network is half as large
    assert lines[-1].endswith(f"Pages: {out}/index.html")
    assert (out / "sweeps" / "tiny.yaml").stat().st_size


@pytest.mark.parametrize(
    ("results", "words"),
    [({("dense", 0.0): 0.97}, "no pruned network is measured yet"), (None, "no sweep")],
)
def test_a_sweep_without_results_is_refused(sweep, results, words, tmp_path, capsys):
    store = open_store(tmp_path / "store")
    if results:
        stored_results(store, tmp_path / "sweep.yaml", results)
    assert run(sweep) == 2
    assert words in capsys.readouterr().err


def test_without_a_sweep_it_says_what_is_missing(capsys):
    assert run() == 2
    assert "SWEEPS" in capsys.readouterr().err
