"""`status`, `logs` and `cancel` on real stores whose journals and leases are written as drivers write them."""

import json
import threading

import pytest
import yaml

from jobs.artifact import MissingArtifactError
from jobs.errors import BadInputError
from orchestrator.commands import watching
from orchestrator.driver.lease import DriverLease
from orchestrator.store import ArtifactStore, Fence, Lease, open_store

KEY, OTHER = "ab" + "1" * 30, "ab" + "2" * 30
SPEC = {"name": "s", "budget": {"gpu_hours": 4.0}}


@pytest.fixture
def storage(tmp_path) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def store(storage) -> ArtifactStore:
    """A store that knows one sweep, which nobody has run yet."""
    store = open_store(storage)
    store.write_sweep("s", {"name": "s", "spec": SPEC, "curves": []})
    return store


def attempt(kind: str, number: int, *, key=KEY, **fields):
    common = {"key": key, "stage": "train", "label": "net", "attempt": number, "duration_s": 1.0, "gpu_s": 3600.0}
    return kind, common | {"host": f"host{number}"} | fields


def failed(number: int, log="", cause="preempted", key=KEY):
    return attempt("failed", number, key=key, cause=cause, message="it broke", final=False, log=log)


def journalled(store: ArtifactStore, *entries, sweep="s", term=1) -> None:
    with store.open_journal(sweep, f"driver{term}") as journal:
        journal.append("start", term=term)
        journal.append("counts", stages={"train": {"running": 2}})
        for kind, fields in entries:
            journal.append(kind, **fields)


def shown(capsys, name="s", *, storage, as_json=False, watch=False) -> str:
    watching.status(name, storage=storage, as_json=as_json, watch=watch)
    return capsys.readouterr().out


def test_status_shows_state_stages_failures_and_cost(store, storage, capsys):
    journalled(store, failed(1), attempt("failed", 2, cause="bug", message="a bug", final=True, log="/there.log"))
    out = shown(capsys, storage=storage)
    for words in ("interrupted", "train", "1 preempted", "failed (bug): train net", "a bug", "/there.log"):
        assert words in out
    assert "GPU-hours, all runs: 2 of 4" in out


def test_status_names_what_does_not_repeat_and_counts_what_only_rounds(store, storage, capsys):
    def twice(number, deviation, nondeterministic):
        told = {"deviation": deviation, "nondeterministic": nondeterministic}
        return attempt("succeeded", number, reused=False, log="/there.log", **told)

    journalled(store, twice(1, "loss by 0.1", True), twice(2, "loss by 1e-7", False))
    out = shown(capsys, storage=storage)
    assert f"not deterministic: train net ({KEY[:12]}): loss by 0.1\n  log: /there.log" in out
    assert "1 computed twice, on machines that round differently" in out
    assert "loss by 1e-7" not in out
    assert "loss by 1e-7" in shown(capsys, storage=storage, as_json=True)


def test_status_tells_of_lines_that_cannot_be_read(store, storage, capsys):
    journalled(store, failed(1))
    with store.open_journal("s", "changed") as journal:
        journal.append("avoided", nose="n")
    assert "1 lines of the journal cannot be read" in shown(capsys, storage=storage)


def test_status_names_the_driver_that_lives(store, storage, capsys):
    with Lease.acquire(store.files, "s"):
        journalled(store)
        value = json.loads(shown(capsys, storage=storage, as_json=True))
    assert (value["state"], value["driver"]["alive"], value["driver"]["term"]) == ("running", True, 1)
    assert not json.loads(shown(capsys, storage=storage, as_json=True))["driver"]["alive"]


def test_status_of_a_first_driver_that_still_plans(storage, capsys):
    with Lease.acquire(open_store(storage).files, "new"):
        assert "leased by a driver" in shown(capsys, "new", storage=storage)


def test_status_of_a_sweep_that_is_not_there_names_those_that_are(store, storage):
    with pytest.raises(MissingArtifactError, match="no sweep 't'; known: s; one of another store"):
        watching.status("t", storage=storage, as_json=False, watch=False)


def test_status_without_a_name_has_a_line_for_every_sweep(store, storage, capsys):
    store.write_sweep("other", {"name": "other", "spec": {}, "curves": []})
    journalled(store, attempt("succeeded", 1, reused=False))
    lines = shown(capsys, None, storage=storage).splitlines()
    assert lines == ["other: new; 0 of 0 tasks", "s: interrupted; 1 of 2 tasks"]
    listed = json.loads(shown(capsys, None, storage=storage, as_json=True))["sweeps"]
    assert [each["sweep"] for each in listed] == ["other", "s"]


def test_status_of_all_names_the_damaged_record_and_shows_the_others(store, storage, capsys):
    store.write_sweep("other", {"name": "other", "spec": {}, "curves": []})
    journalled(store, attempt("succeeded", 1, reused=False))
    store.files.replace("sweeps/s.json", b"damaged")
    lines = shown(capsys, None, storage=storage).splitlines()
    assert lines[:2] == ["other: new; 0 of 0 tasks", "s: interrupted; 1 of 2 tasks"]
    assert "the record of sweep 's' cannot be read" in lines[2]
    assert "the record of sweep 's' cannot be read" in shown(capsys, storage=storage)


def test_status_takes_a_sweep_file(store, storage, capsys, tmp_path, tiny_sweep):
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(tiny_sweep | {"name": "s", "storage": storage}))
    assert shown(capsys, str(path), storage="/no/such/store").startswith("s: no driver has started")


def test_watching_ends_with_the_driver(store, storage, capsys, monkeypatch):
    lease = Lease.acquire(store.files, "s")
    journalled(store)
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            lease.release()

    monkeypatch.setattr(watching.time, "sleep", sleep)
    assert "interrupted" in shown(capsys, storage=storage, watch=True)
    assert len(looks) == 2


def test_watching_waits_for_the_driver_of_a_sweep_that_was_just_submitted(storage, capsys, monkeypatch):
    store = open_store(storage)
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            store.write_sweep("new", {"name": "new", "spec": {}, "curves": []})

    monkeypatch.setattr(watching.time, "sleep", sleep)
    watching.status("new", storage=storage, as_json=False, watch=True)
    told = capsys.readouterr()
    assert told.err.count("waiting 10 minutes at most for its driver") == 1
    assert "no driver has started it" in told.out


def test_watching_gives_up_on_a_sweep_that_never_comes(store, storage, monkeypatch):
    monkeypatch.setattr(watching, "_LONGEST_START_S", 0.0)
    with pytest.raises(MissingArtifactError, match="no sweep 't'; known: s; one of another store"):
        watching.status("t", storage=storage, as_json=False, watch=True)


def test_logs_of_all_attempts_with_the_newest_last(store, storage, capsys):
    first, second = store.write_log(KEY, "first words\n"), store.write_log(KEY, "second words\n")
    journalled(store, failed(1, first), failed(2), failed(3, second, cause="transient"))
    watching.logs(KEY[:6], storage=storage)
    story, logs = capsys.readouterr().out.split("== ", 1)
    assert story.startswith("story of train net: 3 attempts in 1 run\n")
    assert "attempt 2 in run 1 of s: failed (preempted) on host2 after 1.0 s" in story
    assert story.count("log: none was written") == 1
    assert logs.splitlines() == [
        f"attempt 1 in run 1 of s: {first}",
        "first words",
        f"== attempt 3 in run 1 of s: {second}",
        "second words",
    ]


def test_a_log_that_no_journal_names_is_shown_by_its_address(store, storage, capsys):
    address = store.write_log(KEY, "words of a successful attempt")
    journalled(store, attempt("succeeded", 1, reused=False))
    watching.logs(KEY, storage=storage)
    out = capsys.readouterr().out
    assert f"== {address}," in out
    assert "words of a successful attempt" in out
    assert "succeeded on host1" in out


def test_a_log_that_is_gone_is_said_to_be(store, storage, capsys):
    journalled(store, failed(1, "/gone.log"))
    watching.logs(KEY, storage=storage)
    assert "/gone.log\nthis log is missing\n" in capsys.readouterr().out


def test_logs_of_a_task_tell_who_found_its_artifact_damaged(store, storage, capsys):
    asked = {"num_cpus": 1.0, "num_gpus": 0.0, "memory_bytes": 0}
    retry = {"delay_s": 0.0, "resources": asked, "damaged": "cd" + "3" * 30, "avoid": []}
    kind, fields = failed(1, cause="corrupt")
    journalled(store, (kind, fields | {"resources": asked, "retry": retry, "reason": ""}))
    watching.logs("cd", storage=storage)
    assert f"of train net ({KEY[:12]})" in capsys.readouterr().out


def test_the_beginning_of_two_keys_names_both(store, storage):
    journalled(store, failed(1), failed(1, key=OTHER))
    with pytest.raises(BadInputError, match="a prefix of 2 keys"):
        watching.logs("ab", storage=storage)


def test_logs_of_an_unknown_task_say_where_was_looked(store, storage):
    with pytest.raises(BadInputError, match=f"no task cd in {storage}"):
        watching.logs("cd", storage=storage)


def test_retries_of_a_sweep_without_any_say_so(store, storage, capsys):
    journalled(store, attempt("succeeded", 1, reused=False), attempt("failed", 1, cause="bug", message="", final=True))
    watching.retries("s", storage=storage, as_json=False)
    assert capsys.readouterr().out == "s: no attempt was retried\n"
    watching.retries("s", storage=storage, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"sweep": "s", "retries": []}


def test_retries_of_an_old_journal_are_listed(store, storage, capsys):
    journalled(store, failed(1))
    watching.retries("s", storage=storage, as_json=False)
    assert "this journal is too old to say more" in capsys.readouterr().out


def test_retries_of_a_sweep_that_is_not_there_are_an_error(store, storage):
    with pytest.raises(MissingArtifactError, match="no sweep 't'"):
        watching.retries("t", storage=storage, as_json=False)


def test_cancel_reaches_the_driver_and_its_workers(store, storage, capsys):
    with DriverLease(store, Lease.acquire(store.files, "s"), beat_s=0.01) as hold:
        assert watching.cancel("s", storage=storage, wait=False) == 0
        assert Fence(store.files, hold.term).should_stop()
    assert "asked process" in capsys.readouterr().out


def test_cancel_of_a_sweep_that_nobody_runs_says_so(store, storage, capsys):
    assert watching.cancel("s", storage=storage, wait=True) == 0
    assert "no driver runs it" in capsys.readouterr().out


def test_cancel_of_an_unknown_sweep_is_an_error(store, storage):
    with pytest.raises(MissingArtifactError, match="no sweep 't'"):
        watching.cancel("t", storage=storage, wait=False)


def test_cancel_waits_for_the_driver_to_let_go(store, storage, capsys):
    lease = Lease.acquire(store.files, "s")
    letting_go = threading.Timer(0.1, lease.release)
    letting_go.start()
    assert watching.cancel("s", storage=storage, wait=True) == 0
    assert "has ended" in capsys.readouterr().out


def test_cancel_gives_up_on_a_driver_that_hangs(store, storage, capsys, monkeypatch):
    monkeypatch.setattr(watching, "_LONGEST_WAIT_S", 0.0)
    with Lease.acquire(store.files, "s"):
        assert watching.cancel("s", storage=storage, wait=True) == 1
    assert "end that process" in capsys.readouterr().out
