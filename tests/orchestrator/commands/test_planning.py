"""`orchard plan` after a change of the user's code or data. The user's module is never imported."""

import json
from dataclasses import asdict

import pytest
from stored_sweeps import commit

from jobs.load import load_sweep
from orchestrator.commands.planning import plan_for, show_plan
from orchestrator.results import SweepRecord
from orchestrator.store import open_store


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A network of the user's own with a helper, and a file with labels; the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "changing_net.py").write_text("import changing_helper\ndef build(): ...\n")
    (tmp_path / "changing_helper.py").write_text("width = 8\n")
    (tmp_path / "labels.csv").write_text("1,2")
    return tmp_path


@pytest.fixture
def sweep(project, tiny_sweep, write_sweep):
    """The file of a sweep that has run: one network is the user's own, the other ours."""
    own = {"network": "changing_net:build", "train": {"epochs": 1}}
    tiny_sweep["models"] |= {"own": own}
    tiny_sweep["data"] = {"dataset": "jobs.errors:nearest", "arguments": {"path": "labels.csv"}}
    tiny_sweep["storage"] = str(project / "store")
    path = str(write_sweep(tiny_sweep))
    spec = load_sweep(path)
    plan, _ = plan_for(spec, "cpu")
    store = open_store(spec.storage)
    for task in plan.tasks.values():
        commit(store, task)
    spec_json = spec.model_dump(mode="json")
    record = SweepRecord(name=spec.name, spec=spec_json, curves=plan.curves, environment=asdict(plan.environment))
    store.write_sweep(spec.name, record.to_json())
    return path


def changed(sweep, capsys) -> list[dict]:
    capsys.readouterr()
    show_plan(sweep, (), as_json=True, device="cpu")
    return json.loads(capsys.readouterr().out)["changed"]


def test_nothing_is_said_where_nothing_has_changed(project, sweep, capsys):
    (project / "changing_helper.py").write_text("width = 8  # channels\n")
    assert changed(sweep, capsys) == []


def test_a_changed_helper_is_named_with_the_tasks_of_its_network(project, sweep, capsys):
    (project / "changing_helper.py").write_text("width = 16\n")
    (change,) = changed(sweep, capsys)
    plan, _ = plan_for(load_sweep(sweep), "cpu")
    own = {task.key for task in plan.tasks.values() if task.label.startswith("own")}
    assert (change["name"], change["files"]) == ("changing_net:build", ["changing_helper.py"])
    assert set(change["run_again"]) == own
    show_plan(sweep, (), as_json=False, device="cpu")
    told = f"code has changed since the last run: changing_net:build, in changing_helper.py; {len(own)} tasks run again"
    assert told in capsys.readouterr().out


def test_changed_labels_are_named_beside_changed_code(project, sweep, capsys):
    (project / "changing_helper.py").write_text("width = 16\n")
    (project / "labels.csv").write_text("2,1")
    code, data = changed(sweep, capsys)
    assert (code["name"], data["name"], data["files"]) == ("changing_net:build", "data", [])
    assert set(code["run_again"]) < set(data["run_again"])


def test_a_helper_that_is_gone_is_named(project, sweep, capsys):
    (project / "changing_net.py").write_text("def build(): ...\n")
    (project / "changing_helper.py").unlink()
    (change,) = changed(sweep, capsys)
    assert change["files"] == ["changing_helper (gone)", "changing_net.py"]


def test_a_record_of_an_earlier_version_knows_no_modules(sweep, capsys):
    store = open_store(load_sweep(sweep).storage)
    record = store.read_sweep("tiny")
    environment = {name: value for name, value in record["environment"].items() if name != "modules"}
    sources = dict.fromkeys(environment["sources"], "earlier")
    store.write_sweep("tiny", {**record, "environment": {**environment, "sources": sources}})
    assert {change["name"]: change["files"] for change in changed(sweep, capsys)} == {
        "changing_net:build": [],
        "jobs.errors:nearest": [],
    }
