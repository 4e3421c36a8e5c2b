import pytest
from planned import ENVIRONMENT, tasks_of

from jobs.artifact import Manifest
from jobs.load import load_sweep
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep
from orchestrator.results.stored_times import stored_times
from orchestrator.store import open_store


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def make(**latency):
        sweep = {**tiny_sweep, "target": "latency", "measure": {"latency": latency}}
        return plan_sweep(load_sweep(write_sweep(sweep)), ENVIRONMENT)

    return make


def measure(store, tasks, **processor):
    for task in tasks:
        store.commit(
            Manifest(key=task.key, stage=task.stage, identity={}, measurements={}, processor=processor), {"own": b""}
        )


def test_times_and_profiles_in_the_store_tell_where_they_were_measured(plan, store):
    made = plan()
    assert not stored_times(made, store)
    first, second, _ = tasks_of(made, StageKind.TIME)
    measure(store, [first], cpu="EPYC")
    measure(store, [second])  # by an earlier version
    measure(store, tasks_of(made, StageKind.PROFILE), cpu="EPYC", gpu="H200")
    measure(store, tasks_of(made, StageKind.EVALUATE), cpu="other")  # no times
    assert stored_times(made, store) == {"EPYC": 1, "H200": 1, "": 1}


def test_of_a_machine_that_the_sweep_names_nothing_is_told(plan, store):
    made = plan(machine="laptop")
    measure(store, tasks_of(made, StageKind.TIME), cpu="EPYC")
    assert not stored_times(made, store)
