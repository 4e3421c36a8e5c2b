"""Which points are missing because of which failures."""

import pytest
from stored_sweeps import ENVIRONMENT

from jobs.artifact import Manifest
from jobs.load import load_sweep
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep
from orchestrator.report import collect_failures, html_page
from orchestrator.results import METRICS, SweepRecord, collect
from orchestrator.store import open_store

SWEEP = """
name: tiny
seeds: [0, 1]
data: {dataset: digits}
models:
  net: {network: resnet, arguments: {in_channels: 1}, train: {epochs: 1}}
compressions: [0.2, 0.4]
methods:
  dense: {kind: dense}
  l1: {kind: criterion, criterion: l1}
  random: {kind: criterion, criterion: random}
"""


@pytest.fixture
def sweep(tmp_path):
    """A recorded sweep of which nothing is measured: its plan, record and store."""
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP)
    spec = load_sweep(path)
    plan = plan_sweep(spec, ENVIRONMENT)
    environment = {name: getattr(ENVIRONMENT, name) for name in ENVIRONMENT.__dataclass_fields__}
    record = SweepRecord(name="tiny", spec=spec.model_dump(mode="json"), curves=plan.curves, environment=environment)
    return plan, record, open_store(tmp_path / "store")


def fail(store, tasks, message="it <b>broke</b>"):
    with store.open_journal("tiny", "d") as journal:
        journal.append("start", sweep="tiny", git_commit="", term=1)
        for number, task in enumerate(tasks):
            told = {"key": task.key, "stage": task.stage.value, "label": task.label, "host": "h", "attempt": 1}
            journal.append(
                "failed", **told, duration_s=1.0, cause="bug", message=message, log=f"/{number}.log", final=True
            )


def test_equal_failures_are_one_with_all_points_that_depend_on_them(sweep):
    plan, record, store = sweep
    broken = [each for each in plan.tasks.values() if each.stage is StageKind.PRUNE and "/l1@" in each.label]
    fail(store, broken)
    curves = collect(record, store)
    (lost,) = collect_failures(record, curves, store)
    assert lost.failures.what == "4 x prune net/l1"
    assert lost.words == "net/l1 at 20 %, 40 % (seeds 0, 1)"
    assert lost.failures.log == "/0.log"
    page = html_page(record, curves, figure=b"png", lost=[lost])
    assert "it &lt;b&gt;broke&lt;/b&gt;" in page
    assert "net/l1 at 20 %, 40 % (seeds 0, 1)" in page
    assert "/0.log" in page


def test_what_all_depend_on_takes_all_of_its_seed_away(sweep):
    plan, record, store = sweep
    fail(store, [each for each in plan.tasks.values() if each.stage is StageKind.TRAIN and "seed1" in each.label])
    (lost,) = collect_failures(record, collect(record, store), store)
    assert lost.words == ("net/dense at 0 % (seed 1); net/l1 at 20 %, 40 % (seed 1); net/random at 20 %, 40 % (seed 1)")


def test_a_sweep_that_cannot_be_planned_again_tells_its_failures_all_the_same(sweep):
    plan, record, store = sweep
    fail(store, [each for each in plan.tasks.values() if each.stage is StageKind.TRAIN][:1])
    unplanned = SweepRecord(name="tiny", spec=record.spec, curves=record.curves)
    (lost,) = collect_failures(unplanned, collect(record, store), store)
    assert lost.failures.message == "it <b>broke</b>"
    assert lost.words.startswith("not known")


def test_failures_whose_points_are_measured_by_now_are_not_told(sweep):
    plan, record, store = sweep
    points = [each for each in plan.tasks.values() if each.stage is StageKind.EVALUATE]
    fail(store, points[:1])
    measured = dict.fromkeys(METRICS, 0.5)
    store.commit(Manifest(key=points[0].key, stage="evaluate", identity={}, measurements=measured, created_s=1.0), {})
    assert collect_failures(record, collect(record, store), store) == ()


def test_without_failures_the_page_has_no_word_of_them(sweep):
    _, record, store = sweep
    curves = collect(record, store)
    assert collect_failures(record, curves, store) == ()
    assert "What failed" not in html_page(record, curves, figure=b"png")
