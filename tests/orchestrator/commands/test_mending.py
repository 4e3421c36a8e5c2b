"""What `status` sets right in MLflow after a driver has died, with real databases."""

import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from tracked_curves import log, make_curve, runs_of

from orchestrator.commands import diagnosing, viewing, watching
from orchestrator.driver.lease import INTERRUPTED, TERMINATED
from orchestrator.store import Lease, open_store
from orchestrator.tracking import ending


@pytest.fixture
def store(tmp_path, database):
    """A store with the sweep whose runs are logged; one curve is complete, the other is not."""
    store = open_store(tmp_path / "store")
    store.write_sweep("quick", {"name": "quick", "spec": {"tracking": database}, "curves": []})
    log(database, make_curve(seed=0), make_curve(seed=1, measured=(0.2,)))
    return store


def left(store, end: dict | None = None) -> None:
    """A driver ran and is gone; this process is alive, so its lease is released, as if it had expired."""
    lease = Lease.acquire(store.files, "quick")
    with store.open_journal("quick", f"{lease.term.number}") as journal:
        journal.append("start", term=lease.term.number)
        if end:
            journal.append("end", **end)
    lease.release()


def status(store, capsys) -> tuple[str, str]:
    """The state, and what was told beside it."""
    capsys.readouterr()
    watching.status("quick", storage=store.uri, as_json=True, watch=False)
    told = capsys.readouterr()
    return json.loads(told.out)["state"], told.err


def states(database) -> list[str]:
    return sorted(run.info.status for run in runs_of(database))


def test_a_look_at_a_sweep_whose_driver_died_ends_its_runs_once(store, database, capsys, monkeypatch):
    left(store)
    assert states(database) == ["FINISHED", "RUNNING"]
    state, told = status(store, capsys)
    assert (state, told) == (
        "interrupted",
        "quick: MLflow: 3 runs that the dead driver left as RUNNING are now FAILED\n",
    )
    assert states(database) == ["FAILED", "FINISHED"]
    monkeypatch.setattr(ending, "end_runs", lambda *_: pytest.fail("asked again"))
    assert status(store, capsys) == ("interrupted", "")


def test_the_doctor_sets_it_right_too(store, database):
    left(store)
    (finding,) = diagnosing._mended("quick", store.uri)
    assert (finding.verdict, states(database)) == ("ok", ["FAILED", "FINISHED"])


@pytest.mark.parametrize("name", ["quick", None])
def test_the_pages_of_mlflow_are_opened_with_it_set_right(store, database, capsys, monkeypatch, name):
    @contextmanager
    def serving(uri, port):
        assert states(uri) == ["FAILED", "FINISHED"]
        yield "http://127.0.0.1:5000", SimpleNamespace(wait=lambda: None)

    monkeypatch.setattr(viewing, "serving", serving)
    left(store)
    viewing.view(name, storage=store.uri, tracking=None, port=None, browser=False)
    assert "quick: MLflow: 3 runs that the dead driver left as RUNNING are now FAILED\n" in capsys.readouterr().err
    assert states(database) == ["FAILED", "FINISHED"]


@pytest.mark.parametrize("end", [{"stopped": TERMINATED}, {"stopped": INTERRUPTED, "abrupt": True}])
def test_a_driver_that_had_no_time_to_log_its_end_leaves_them_as_they_are_too(store, database, capsys, end):
    left(store, {"complete": False, **end})
    assert status(store, capsys)[0] == "stopped"
    assert states(database) == ["FAILED", "FINISHED"]


def test_the_runs_of_a_driver_that_lives_are_left_alone(store, database, capsys):
    with Lease.acquire(store.files, "quick"):
        assert status(store, capsys) == ("held", "")
    assert states(database) == ["FINISHED", "RUNNING"]


def test_a_driver_that_ended_well_is_not_looked_after(store, capsys, monkeypatch):
    left(store, {"complete": False, "stopped": ""})
    monkeypatch.setattr(ending, "end_runs", lambda *_: pytest.fail("asked"))
    assert status(store, capsys) == ("failed", "")


def test_the_next_driver_that_dies_is_looked_after_again(store, database, capsys):
    for _ in range(2):
        left(store)
        status(store, capsys)
        assert states(database) == ["FAILED", "FINISHED"]
        log(database, make_curve(seed=0), make_curve(seed=1, measured=(0.2,)))
        assert states(database) == ["FINISHED", "RUNNING"]


def test_without_mlflow_the_command_that_mends_is_named_and_the_next_look_asks_again(store, capsys):
    record = {"name": "quick", "spec": {"tracking": "http://127.0.0.1:1"}, "curves": []}
    store.write_sweep("quick", record)
    left(store)
    for _ in range(2):
        assert "sync quick --storage" in status(store, capsys)[1]


def test_a_database_that_is_not_here_is_not_made(store, tmp_path, capsys):
    tracking = f"sqlite:///{tmp_path}/elsewhere.db"
    store.write_sweep("quick", {"name": "quick", "spec": {"tracking": tracking}, "curves": []})
    left(store)
    assert status(store, capsys) == ("interrupted", "")
    assert not (tmp_path / "elsewhere.db").exists()
