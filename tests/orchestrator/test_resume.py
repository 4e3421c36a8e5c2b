import pytest

from jobs.artifact import Manifest
from jobs.load import load_sweep
from jobs.task import GroupSize, StageKind, order_tasks
from orchestrator.planning import Surroundings, plan_sweep
from orchestrator.resume import resume_point
from orchestrator.store import open_store

SURROUNDINGS = Surroundings(device="cpu", torch_version="2", ortools_version="9", data="d", weights={}, sources={})
GROUPS = [{"name": "a", "width": 128}, {"name": "b", "width": 256}]


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    spec = load_sweep(write_sweep({**tiny_sweep, "methods": {"integral": {"kind": "integral"}}}))
    return plan_sweep(spec, SURROUNDINGS)


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def commit(store, key, **measurements):
    store.commit(Manifest(key=key, stage="any", identity={}, measurements=measurements), {})


def only(plan, stage):
    return next(task for task in plan.tasks.values() if task.stage is stage)


def test_an_empty_store_has_nothing(plan, store):
    assert resume_point(plan, store) == (frozenset(), {})


def test_a_committed_convert_tells_its_groups(plan, store):
    convert = only(plan, StageKind.CONVERT)
    commit(store, convert.key, groups=GROUPS)
    present, groups = resume_point(plan, store)
    assert present == {convert.key}
    assert groups == {convert.key: tuple(GroupSize(**group) for group in GROUPS)}


def test_committed_orders_are_found_though_they_are_not_in_the_plan(plan, store):
    convert, permute = only(plan, StageKind.CONVERT), only(plan, StageKind.PERMUTE)
    orders = order_tasks(permute, [GroupSize(**group) for group in GROUPS])
    commit(store, convert.key, groups=GROUPS)
    commit(store, orders[1].key)
    assert resume_point(plan, store)[0] == {convert.key, orders[1].key}


def test_what_other_sweeps_committed_does_not_count(plan, store):
    commit(store, "ab" * 16)
    assert resume_point(plan, store)[0] == frozenset()
