import pytest
from planned import ENVIRONMENT, tasks_of
from store_suite import flip
from stored_sweeps import stored_sweep

from jobs.artifact import Manifest
from jobs.load import load_sweep
from jobs.stages.table import StageKind
from jobs.task import joined_tasks
from orchestrator.driver.resume import resume_point, stored_tasks
from orchestrator.planning import plan_sweep
from orchestrator.store import open_store
from orchestrator.store.artifacts import manifest_path

GROUPS = [{"name": "a", "width": 128}, {"name": "b", "width": 256}]


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    spec = load_sweep(write_sweep({**tiny_sweep, "methods": {"integral": {"kind": "integral"}}}))
    return plan_sweep(spec, ENVIRONMENT)


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def commit(store, key, **measurements):
    store.commit(Manifest(key=key, stage="any", identity={}, measurements=measurements), {})


def test_an_empty_store_has_nothing(plan, store):
    assert resume_point(plan, store) == (frozenset(), {})


def test_a_committed_source_tells_what_it_has_measured(plan, store):
    (convert,) = tasks_of(plan, StageKind.CONVERT)
    commit(store, convert.key, groups=GROUPS, more="than is asked for")
    present, measured = resume_point(plan, store)
    assert present == {convert.key}
    assert measured == {convert.key: {"groups": GROUPS, "more": "than is asked for"}}


def test_committed_orders_are_found_though_they_are_not_in_the_plan(plan, store):
    (convert,), (permute,) = tasks_of(plan, StageKind.CONVERT), tasks_of(plan, StageKind.PERMUTE)
    orders = joined_tasks(permute, {"groups": GROUPS})
    commit(store, convert.key, groups=GROUPS)
    commit(store, orders[1].key)
    assert resume_point(plan, store)[0] == {convert.key, orders[1].key}


def test_a_damaged_source_is_as_good_as_none(plan, store):
    (convert,), (permute,) = tasks_of(plan, StageKind.CONVERT), tasks_of(plan, StageKind.PERMUTE)
    commit(store, convert.key, groups=GROUPS)
    commit(store, joined_tasks(permute, {"groups": GROUPS})[0].key)
    flip(store, manifest_path(convert.key))
    assert resume_point(plan, store) == (frozenset(), {})  # its orders are found once it is made again


def test_what_other_sweeps_committed_does_not_count(plan, store):
    commit(store, "ab" * 16)
    assert resume_point(plan, store)[0] == frozenset()


def test_a_point_counts_only_as_long_as_its_network_is_there(plan, store):
    evaluate, *_ = tasks_of(plan, StageKind.EVALUATE)
    commit(store, evaluate.key)
    assert resume_point(plan, store)[0] == frozenset()
    commit(store, evaluate.inputs["network"])
    assert resume_point(plan, store)[0] == {evaluate.key, evaluate.inputs["network"]}


def test_all_that_is_stored_is_known_with_its_stage_appearing_tasks_included(tiny_sweep, tmp_path):
    store = open_store(tmp_path / "store")
    sweep = {**tiny_sweep, "methods": {"integral": {"kind": "integral"}}}
    found = stored_sweep(store, sweep, tmp_path / "sweep.yaml")
    stored = stored_tasks(found.plan, *resume_point(found.plan, store))
    assert stored == {key: task.stage for key, task in found.tasks.items()}
    assert StageKind.ORDER in stored.values()
