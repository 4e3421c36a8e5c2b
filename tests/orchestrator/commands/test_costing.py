"""`orchard plan --cost` on stores whose journals tell what tasks took."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from jobs.errors import BadInputError
from jobs.load import load_sweep
from orchestrator.commands.planning import CostRequest, plan_for, show_plan
from orchestrator.results import SweepRecord
from orchestrator.store import open_store

CLUSTER = str(Path(__file__).parents[3] / "cluster.yaml")


@pytest.fixture
def sweep(tiny_sweep, write_sweep, tmp_path, monkeypatch):
    """A sweep of which nothing has run."""
    monkeypatch.chdir(tmp_path)
    return str(write_sweep(tiny_sweep))


def has_run(sweep: str, name: str, device="cpu", family="net", duration_s=36.0, **spec):
    """Another sweep, or this one, has evaluated a network."""
    given = load_sweep(sweep, [f"name={name}"])
    plan, _ = plan_for(given, device)
    document = {**given.model_dump(mode="json"), **spec}
    store = open_store(given.storage)
    record = SweepRecord(name=name, spec=document, curves=plan.curves, environment=asdict(plan.environment))
    store.write_sweep(name, record.to_json())
    with store.open_journal(name, "driver") as journal:
        journal.append("start", term=1)
        fields = {"key": "ab", "stage": "evaluate", "label": "net", "family": family, "attempt": 1, "host": "h"}
        seen = {"duration_s": duration_s, "gpu_s": 0.0, "work": 1.0, "memory_bytes": 0, "gpu_fraction": 0.0}
        journal.append("succeeded", **fields, **seen, reused=False)


def told(sweep, capsys, *, prices=(), cluster=None, **options):
    show_plan(sweep, (), device="cpu", asked=CostRequest(cluster=cluster, prices=prices), **options)
    return capsys.readouterr().out


def test_hours_are_those_of_what_was_seen_and_the_rest_is_named(sweep, capsys):
    has_run(sweep, "tiny")
    cost = json.loads(told(sweep, capsys, as_json=True, cluster=CLUSTER, prices=["cpu-ordering=3.2"]))["cost"]
    stages = {each["stage"]: each for each in cost["stages"]}
    assert (stages["evaluate"]["tasks"], stages["evaluate"]["work_s"]) == (3, 108)
    assert stages["train"]["unseen"] == stages["train"]["tasks"] == 1
    # 108 seconds of one of 32 CPUs.
    assert cost["nodes"]["cpu-ordering"] == {"node_s": 108 / 32, "usd": pytest.approx(3.2 * 108 / 32 / 3600)}
    out = told(sweep, capsys, as_json=False, cluster=CLUSTER)
    assert "from what was seen of tiny:" in out
    assert "evaluate           3      0.03       0.03          0  cpu-ordering" in out
    assert "not counted, because nothing like them was seen in this store: 1 train" in out


def test_a_sweep_of_the_same_network_and_data_counts_where_this_one_has_seen_nothing(sweep, capsys):
    has_run(sweep, "trial", duration_s=72.0)
    assert json.loads(told(sweep, capsys, as_json=True))["cost"]["seen_in"] == ["trial"]
    has_run(sweep, "tiny")
    cost = json.loads(told(sweep, capsys, as_json=True))["cost"]
    assert (cost["seen_in"], cost["stages"][-1]["work_s"]) == (["tiny"], 108)


def test_what_ran_on_another_device_or_data_counts_nowhere(sweep, capsys):
    has_run(sweep, "on-gpus", device="cuda")
    has_run(sweep, "elsewhere", data={"dataset": "cifar10", "root": "/x"})
    out = told(sweep, capsys, as_json=False)
    assert "no estimate:" in out
    assert "a small part of the sweep, run first, shows what they take" in out


def test_a_price_of_a_node_that_is_not_there_is_refused(sweep, capsys):
    with pytest.raises(BadInputError, match="no node type is called 'gpu'; known: cpu-ordering, gpu-spot"):
        told(sweep, capsys, as_json=True, cluster=CLUSTER, prices=["gpu=1"])
    with pytest.raises(BadInputError, match="write NODE=USD"):
        told(sweep, capsys, as_json=True, cluster=CLUSTER, prices=["gpu-spot=cheap"])
