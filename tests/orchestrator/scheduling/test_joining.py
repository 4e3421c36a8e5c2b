"""Tasks that appear while a sweep runs, of other kinds than the orders of channel groups."""

from collections import Counter
from dataclasses import asdict, replace

import pytest
from joining_tasks import MEASURED, VoteParams, ensemble_task, vote_task
from plain_tasks import plain_task
from planned import ENVIRONMENT
from stored_sweeps import commit

from jobs.outcome import Cause, Failed, Succeeded
from jobs.resources import Resources
from jobs.stages import table
from jobs.stages.table import StageKind
from jobs.task import joined_tasks
from orchestrator.backends import SimulatedBackend, Slots
from orchestrator.driver.resume import resume_point
from orchestrator.driver.run import drive
from orchestrator.planning import Plan, PlannedCurve, PlannedPoint
from orchestrator.results import SweepRecord, reachability
from orchestrator.scheduling.graph import TaskState
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.store import open_store
from orchestrator.store.catalog import Catalog

TRAIN = plain_task(StageKind.TRAIN)
OBSERVE = plain_task(StageKind.OBSERVE, inputs={"network": TRAIN.key})
VOTE = vote_task(TRAIN.key, OBSERVE.key)
EVALUATE = plain_task(StageKind.EVALUATE, inputs={"network": VOTE.key})
BRANCHES = joined_tasks(VOTE, MEASURED)
ENSEMBLE = ensemble_task(OBSERVE.key)


def by_key(*tasks):
    return {task.key: task for task in tasks}


TASKS = by_key(TRAIN, OBSERVE, VOTE, EVALUATE)


def scheduler(tasks=None, *targets, **more):
    tasks = TASKS if tasks is None else tasks
    return Scheduler(tasks, targets or [EVALUATE.key], limits=dict.fromkeys(Lane, 100), **more)


def succeeded(task, measured=MEASURED):
    return Succeeded(key=task.key, measurements=measured if task.key == OBSERVE.key else {}, duration_s=1.0)


def run_all(state, attempts, outcome=succeeded):
    """Runs to the end in order of submission; the tasks in that order."""
    ran, queue, now_s = [], list(attempts), 0.0
    while queue:
        now_s += 100.0  # more than any delay
        attempt = queue.pop(0)
        ran.append(attempt.task)
        queue += state.step([outcome(attempt.task)], now_s)
    return ran


class TestScheduler:
    def test_they_run_between_what_measured_them_and_what_joins_them(self):
        state = scheduler()
        ran = run_all(state, state.start(frozenset(), {}))
        assert [task.stage.value for task in ran] == [
            "train",
            "observe",
            "score",
            "score",
            "score",
            "prune",
            "evaluate",
        ]
        assert {task.key for task in ran if task.stage is StageKind.SCORE} == {task.key for task in BRANCHES}
        assert state.complete

    def test_the_one_with_most_work_starts_first(self):
        state = scheduler()
        ran = run_all(state, state.start(frozenset(), {}))
        assert next(task for task in ran if task.stage is StageKind.SCORE).params.criterion == "fpgm"

    def test_they_ask_for_what_their_stage_asks_for(self):
        four = Resources(num_cpus=4.0)
        state = scheduler(resources={StageKind.SCORE: four})
        ran = run_all(state, state.start(frozenset(), {}))
        assert {task.resources for task in ran if task.stage is StageKind.SCORE} == {four}

    def test_tasks_that_join_the_same_ones_share_them(self):
        other = vote_task(TRAIN.key, OBSERVE.key, fraction=0.9)
        state = scheduler({**TASKS, other.key: other}, EVALUATE.key, other.key)
        ran = run_all(state, state.start(frozenset(), {}))
        assert Counter(task.stage for task in ran)[StageKind.SCORE] == len(BRANCHES)
        assert state.state_of(other.key) is TaskState.DONE

    def test_where_none_appear_the_task_that_would_join_them_goes_on(self):
        state = scheduler()
        ran = run_all(state, state.start(frozenset(), {}), lambda task: succeeded(task, {"criteria": []}))
        assert [task.stage.value for task in ran] == ["train", "observe", "prune", "evaluate"]

    def test_one_that_fails_blocks_what_joins_it(self):
        state = scheduler()

        def outcome(task):
            bad = task.key == BRANCHES[0].key
            return Failed(key=task.key, cause=Cause.BUG, message="broken") if bad else succeeded(task)

        run_all(state, state.start(frozenset(), {}), outcome)
        assert [state.state_of(key) for key in (VOTE.key, EVALUATE.key)] == [TaskState.BLOCKED] * 2
        assert state.finished

    def test_a_new_driver_runs_those_that_are_missing(self):
        state = scheduler()
        present = frozenset({TRAIN.key, OBSERVE.key, BRANCHES[0].key, BRANCHES[2].key})
        ran = run_all(state, state.start(present, {OBSERVE.key: MEASURED}))
        assert [task.key for task in ran] == [BRANCHES[1].key, VOTE.key, EVALUATE.key]

    def test_a_new_driver_runs_none_where_what_joins_them_is_there(self):
        state = scheduler()
        ran = run_all(state, state.start(frozenset({OBSERVE.key, VOTE.key}), {OBSERVE.key: MEASURED}))
        assert [task.key for task in ran] == [EVALUATE.key]

    @pytest.mark.parametrize("there", [(), (TRAIN.key,)])
    def test_a_damaged_one_is_made_again_with_all_that_it_needs_and_then_joined(self, there):
        """Of a new driver; the branch reads the trained network, whether or not that is still there."""
        state = scheduler()
        present = frozenset({OBSERVE.key, *there, *(task.key for task in BRANCHES)})
        damaged = [True]

        def outcome(task):
            if task.key == VOTE.key and damaged:
                damaged.clear()
                return Failed(key=task.key, cause=Cause.CORRUPT, message="damaged", damaged=BRANCHES[1].key)
            return succeeded(task)

        ran = run_all(state, state.start(present, {OBSERVE.key: MEASURED}), outcome)
        before = [] if there else [TRAIN.key]  # the joining task reads it, too
        assert [task.key for task in ran] == [*before, VOTE.key, BRANCHES[1].key, VOTE.key, EVALUATE.key]
        assert state.complete

    def test_a_damaged_source_is_made_again_and_what_followed_from_it_stays(self):
        state, damaged = scheduler(), [True]

        def outcome(task):
            if task.key == VOTE.key and damaged:
                damaged.clear()
                return Failed(key=task.key, cause=Cause.CORRUPT, message="damaged", damaged=OBSERVE.key)
            return succeeded(task)

        ran = run_all(state, state.start(frozenset(), {}), outcome)
        again = [task.stage.value for task in ran][-4:]
        assert again == ["prune", "observe", "prune", "evaluate"]
        assert state.complete

    def test_a_damaged_task_that_joins_others_waits_for_those_that_are_gone_too(self):
        """Its own artifact is there, so a new driver looks for none of them until it is read."""
        state, damaged = scheduler(), [True]

        def outcome(task):
            if task.key == EVALUATE.key and damaged:
                damaged.clear()
                return Failed(key=task.key, cause=Cause.CORRUPT, message="damaged", damaged=VOTE.key)
            return succeeded(task)

        present = frozenset({OBSERVE.key, VOTE.key, BRANCHES[0].key})
        ran = run_all(state, state.start(present, {OBSERVE.key: MEASURED}), outcome)
        assert [task.stage.value for task in ran] == ["evaluate", "train", "score", "score", "prune", "evaluate"]
        assert state.complete


class TestOnesThatJoinThemselves:
    TASKS = by_key(TRAIN, OBSERVE, ENSEMBLE)
    PERMUTES = joined_tasks(ENSEMBLE, MEASURED)
    ORDERS = tuple(order for permute in PERMUTES for order in joined_tasks(permute, MEASURED))

    def test_all_run_innermost_first(self):
        state = scheduler(self.TASKS, ENSEMBLE.key)
        ran = [task.key for task in run_all(state, state.start(frozenset(), {}))]
        assert set(ran[2:6]) == {task.key for task in self.ORDERS}
        assert set(ran[6:8]) == {task.key for task in self.PERMUTES}
        assert ran[8:] == [ENSEMBLE.key]
        assert state.complete

    def test_a_new_driver_runs_those_that_are_missing(self):
        state = scheduler(self.TASKS, ENSEMBLE.key)
        missing = [self.ORDERS[0].key, self.PERMUTES[0].key, ENSEMBLE.key]
        everything = {TRAIN.key, OBSERVE.key, *(task.key for task in (*self.PERMUTES, *self.ORDERS))}
        present = frozenset(everything - set(missing))
        ran = run_all(state, state.start(present, {OBSERVE.key: MEASURED}))
        assert [task.key for task in ran] == missing


PLAN = Plan(
    tasks=TASKS,
    curves=(
        PlannedCurve(
            model="net",
            dataset="digits",
            method="vote",
            protocol="none",
            seed=0,
            points=(PlannedPoint(compression=0.2, key=EVALUATE.key),),
        ),
    ),
    asked={},
    resources={},
    environment=ENVIRONMENT,
)


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path)


class TestStore:
    def test_those_that_are_committed_are_found_though_no_plan_has_them(self, store):
        for task in (OBSERVE, BRANCHES[1]):
            commit(store, task, **MEASURED)
        present, measured = resume_point(PLAN, store)
        assert present == {OBSERVE.key, BRANCHES[1].key}
        assert measured == {OBSERVE.key: MEASURED}

    def test_they_stay_while_a_recorded_sweep_joins_them(self, store, monkeypatch):
        monkeypatch.setattr(reachability, "plan_sweep", lambda spec, environment: PLAN)
        monkeypatch.setattr(reachability.SweepSpec, "model_validate_json", lambda text: None)
        record = SweepRecord(name="s", spec={}, curves=PLAN.curves, environment=asdict(ENVIRONMENT))
        for task in (OBSERVE, *BRANCHES):  # what joins them has not run yet
            commit(store, task, **MEASURED)
        assert reachability.needed([record], Catalog(store)).keys >= {task.key for task in BRANCHES}

    @pytest.mark.parametrize("joining", [VOTE, ENSEMBLE], ids=["vote", "ensemble"])
    def test_without_its_plan_the_manifest_of_what_joined_them_names_them(self, store, monkeypatch, joining):
        record = type(joining.params)
        monkeypatch.setattr(joining.stage, "row", replace(joining.stage.row, params=record))
        monkeypatch.setitem(table._KIND_OF, record, joining.stage)
        tasks = [TRAIN, OBSERVE, joining, *joined_tasks(joining, MEASURED)]
        tasks += [inner for task in tasks[3:] for inner in joined_tasks(task, MEASURED)]
        for task in tasks:
            commit(store, task, **MEASURED)
        points = (PlannedPoint(compression=0.2, key=joining.key),)
        record = SweepRecord(name="s", spec={}, curves=(replace(PLAN.curves[0], points=points),))
        assert reachability.needed([record], Catalog(store)).keys == {task.key for task in tasks}


@pytest.mark.parametrize("joining", [VOTE, ENSEMBLE], ids=["vote", "ensemble"])
def test_a_simulation_pretends_what_is_measured(joining):
    tasks = by_key(TRAIN, OBSERVE, joining)
    state = scheduler(tasks, joining.key)

    def outcome(attempt):
        measured = joining.params.placeholder_measurements() if attempt.task.key == joining.params.source else {}
        return Succeeded(key=attempt.task.key, measurements=measured, duration_s=1.0)

    backend = SimulatedBackend(Slots(cpus=9.0, gpus=0.0), duration_s=lambda attempt: 1.0, outcome=outcome)
    summary = drive(state, state.start(frozenset(), {}), backend, [], clock=lambda: backend.now_s)
    assert summary.complete
    # train, observe, all scores at once, prune; the ensemble waits for orders, then permutations
    assert backend.now_s == (4.0 if isinstance(joining.params, VoteParams) else 5.0)
