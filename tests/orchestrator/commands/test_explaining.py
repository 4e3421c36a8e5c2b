"""`explain` of tasks that are planned, stored, both or damaged."""

import json

import pytest

from jobs.artifact import Manifest
from jobs.load import load_sweep
from jobs.stages.table import StageKind
from orchestrator.commands.explaining import explain
from orchestrator.commands.planning import plan_for
from orchestrator.store import open_store


@pytest.fixture
def path(tiny_sweep, write_sweep) -> str:
    return str(write_sweep(tiny_sweep))


def planned(path: str, stage: StageKind, *overrides: str):
    plan, _ = plan_for(load_sweep(path, overrides), None)
    return next(task for task in plan.tasks.values() if task.stage is stage)


def commit(path: str, task):
    store = open_store(load_sweep(path).storage)
    store.commit(Manifest(key=task.key, stage=task.stage.value, identity=task.identity(), measurements={}), {})
    return store


def test_a_task_of_a_changed_sweep_is_found_by_the_same_change(path, capsys):
    changed = planned(path, StageKind.TRAIN, "models.net.train.epochs=7")
    explain([changed.key], storage="", sweep=path, overrides=["models.net.train.epochs=7"])
    assert "epochs: 7" in capsys.readouterr().out


def test_a_task_that_would_run_says_what_it_waits_for(path, capsys):
    train, convert = planned(path, StageKind.TRAIN), planned(path, StageKind.CONVERT)
    explain([convert.key], storage="", sweep=path)
    out = capsys.readouterr().out
    assert f"{train.key[:12]} (train {train.label}): not stored, runs first" in out
    assert out.endswith("not stored\n")
    commit(path, train)
    explain([convert.key], storage="", sweep=path)
    assert f"{train.key[:12]} (train {train.label}): stored" in capsys.readouterr().out


def test_a_damaged_artifact_is_said_to_be_made_again(path, capsys):
    train = planned(path, StageKind.TRAIN)
    store = commit(path, train)
    store.files.replace(f"manifests/{train.key[:2]}/{train.key}.json", json.dumps({"key": train.key}).encode())
    explain([train.key], storage="", sweep=path)
    assert "damaged: the next run computes it again" in capsys.readouterr().out


def test_a_task_that_only_a_journal_knows_is_told_of(path, capsys):
    train = planned(path, StageKind.TRAIN)
    store = open_store(load_sweep(path).storage)
    store.write_sweep("tiny", {"name": "tiny", "spec": {}, "curves": []})
    with store.open_journal("tiny", "driver") as journal:
        journal.append("start", term=1)
        attempt = {"key": train.key, "stage": "train", "label": "net", "attempt": 1, "duration_s": 1.0, "host": "h"}
        journal.append("failed", **attempt, cause="bug", message="it broke", final=True, log="/x.log")
    explain([train.key[:6]], storage=store.uri, sweep=None)
    out = capsys.readouterr().out
    assert out.startswith(f"{train.key}: not in the store; with --sweep")
    assert "attempt 1 in run 1 of tiny: failed (bug) on h after 1.0 s" in out
    explain([train.key], storage="", sweep=path)
    out = capsys.readouterr().out
    assert "params.procedure.recipe.epochs: 1" in out
    assert out.endswith("then: no other attempt; this journal is too old to say more\n")


def test_a_stored_task_says_which_processor_made_it(path, capsys):
    train = planned(path, StageKind.TRAIN)
    made = Manifest(
        key=train.key,
        stage="train",
        identity=train.identity(),
        measurements={},
        processor={"cpu": "AMD EPYC (25/17)", "threads": "2"},
    )
    open_store(load_sweep(path).storage).commit(made, {})
    explain([train.key], storage="", sweep=path)
    assert "  processor: cpu AMD EPYC (25/17), threads 2\n" in capsys.readouterr().out
