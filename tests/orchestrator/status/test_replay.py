"""A sweep's status, replayed from hand-written journals and from what the loop writes."""

import io
import json
from collections import Counter

import pytest
from plain_tasks import plain_tasks
from rich.console import Console

from jobs.outcome import Cause, Failed, Succeeded
from jobs.stages.table import StageKind
from orchestrator.backends import SimulatedBackend, Slots
from orchestrator.commands.status_text import status_page
from orchestrator.driver.journal_writer import JournalWriter
from orchestrator.driver.run import drive
from orchestrator.scheduling.graph import TaskState
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.status import Driver, History, State, status_of
from orchestrator.store import open_store
from orchestrator.store.entries import UNREADABLE

START = {"kind": "start", "at_s": 100.0, "term": 3}
COUNTS = {
    "kind": "counts",
    "at_s": 100.5,
    "stages": {"train": {"running": 2, "waiting": 3}, "evaluate": {"waiting": 5}},
}
END = {"kind": "end", "at_s": 130.0, "complete": True, "stopped": ""}


def ended(kind: str, key="k", stage="train", gpu_s=0.0, **fields):
    common = {"key": key, "stage": stage, "label": "net", "attempt": 1, "duration_s": 10.0, "gpu_s": gpu_s, "host": "h"}
    return {"kind": kind, "at_s": 120.0, **common, **fields}


def success(key="k", reused=False, **fields):
    return ended("succeeded", key, reused=reused, **fields)


def failure(key="k", cause="preempted", final=False):
    return ended("failed", key, cause=cause, message="it broke", log="/log", final=final)


def driver(alive=True, term=3) -> Driver:
    return Driver(host="h", pid=7, term=term, since_s=99.0, quiet_s=1.0, alive=alive)


def status(*entries, holder: Driver | None = None):
    return status_of("s", History.of(entries), driver=holder, gpu_hours_cap=None, now_s=200.0)


def stage(found, kind=StageKind.TRAIN):
    return next(each for each in found.stages if each.stage is kind)


def test_what_ended_after_the_last_count_is_taken_in():
    found = status(START, COUNTS, success("a"), success("b", reused=True), failure("c", final=True), holder=driver())
    train = stage(found)
    # Two are open, and two were running when the tasks were counted.
    assert (train.done, train.reused, train.failed, train.running, train.waiting) == (1, 1, 1, 2, 0)
    assert stage(found, StageKind.EVALUATE).waiting == 5


def test_a_count_replaces_what_came_before_it():
    found = status(START, success("a"), COUNTS, holder=driver())
    assert (stage(found).done, stage(found).running) == (0, 2)


def test_nothing_runs_where_the_driver_is_gone():
    found = status(START, COUNTS, holder=driver(alive=False))
    assert (stage(found).running, stage(found).waiting) == (0, 5)


def test_a_retry_counts_by_its_cause_and_is_no_failed_task():
    found = status(START, COUNTS, failure(), failure(), failure(cause="transient"), success())
    assert found.retries == {Cause.PREEMPTED: 2, Cause.TRANSIENT: 1}
    assert (found.attempts, found.failed_tasks) == (4, ())


def test_a_task_that_gave_another_result_says_by_how_much_and_where_its_log_is():
    found = status(START, success("a"), success("b", deviation="by 0.1", nondeterministic=True, log="/log"))
    (task,) = found.deviating_tasks
    assert (task.key, task.label, task.message, task.nondeterministic, task.log) == ("b", "net", "by 0.1", True, "/log")


def test_a_failed_task_says_what_why_and_where_its_log_is():
    (task,) = status(START, COUNTS, failure(cause="bug", final=True)).failed_tasks
    assert (task.key, task.label, task.cause, task.message, task.log) == ("k", "net", Cause.BUG, "it broke", "/log")


def test_the_last_run_counts_and_the_cost_of_all():
    bad_day = (START, COUNTS, success(gpu_s=1800.0), failure(final=True), {"kind": "avoided", "at_s": 1.0, "node": "n"})
    found = status(*bad_day, START, COUNTS, success("b", gpu_s=1800.0))
    assert (found.runs, found.attempts, found.failed_tasks, found.avoided_nodes) == (2, 1, (), ())
    assert found.gpu_hours == 1.0


@pytest.mark.parametrize(
    ("entries", "holder", "state"),
    [
        ((), None, State.NEW),
        ((), driver(), State.HELD),
        ((START, COUNTS), driver(), State.RUNNING),
        ((START, COUNTS), driver(alive=False), State.INTERRUPTED),
        ((START, COUNTS), None, State.INTERRUPTED),
        ((START, COUNTS), driver(term=4), State.HELD),  # the next driver plans
        ((START, COUNTS, END), driver(), State.COMPLETE),  # it still logs to MLflow
        ((START, COUNTS, END | {"complete": False}), driver(alive=False), State.FAILED),
        ((START, COUNTS, END | {"complete": False, "stopped": "cancelled"}), driver(alive=False), State.STOPPED),
        ((START, COUNTS, END, START, COUNTS), None, State.INTERRUPTED),
    ],
)
def test_the_state_of_the_whole(entries, holder, state):
    assert status(*entries, holder=holder).state is state


def test_a_run_that_goes_on_lasts_until_now_and_one_that_ended_until_its_end():
    assert status(START, COUNTS, holder=driver()).duration_s == 100.0
    assert status(START, COUNTS, END).duration_s == 30.0


def test_the_time_left_is_a_lower_bound_while_a_stage_is_unseen():
    # 10 s of work in 80 s; four trainings of 10 s are left, 20 s of that passed, and evaluations of unknown length.
    found = status(START, COUNTS, success(at_s=180.0), holder=driver())
    assert (found.time_left.seconds, found.time_left.at_least) == (300.0, True)
    seen = status(START, COUNTS, success(at_s=180.0), success("e", stage="evaluate", at_s=180.0), holder=driver())
    assert not seen.time_left.at_least
    assert status(START, COUNTS, success(), END).time_left is None


def test_entries_that_were_lost_are_told():
    assert status(START, COUNTS, {"kind": "lost", "at_s": 1.0, "entries": 9}).lost_entries == 9


def test_lines_that_cannot_be_read_are_counted_and_the_rest_is_replayed():
    found = status(UNREADABLE, START, UNREADABLE, success(), holder=driver())
    assert (found.unreadable_entries, found.attempts, found.state) == (2, 1, State.RUNNING)
    assert stage(found).done == 1
    assert stage(found).waiting == 0  # the counts are among what cannot be read


def test_a_run_whose_first_line_cannot_be_read_has_run_all_the_same():
    assert status(UNREADABLE, COUNTS, success()).state is State.INTERRUPTED


def test_its_json_has_every_field_and_only_plain_values():
    found = status(START, COUNTS, failure(final=True), success(), holder=driver())
    value = json.loads(json.dumps(found.to_json()))
    assert value["state"] == "running"
    assert value["driver"]["pid"] == 7
    assert value["stages"][0] == {
        "stage": "train",
        "done": 1,
        "running": 2,
        "waiting": 1,
        "reused": 0,
        "failed": 1,
        "blocked": 0,
    }
    assert value["failed_tasks"][0]["cause"] == "preempted"


def test_the_replay_ends_where_the_scheduler_ended(tmp_path):
    tasks = plain_tasks(40)

    def outcome(attempt):
        n = attempt.task.params.n
        if n % 7 == 0:
            return Failed(key=attempt.task.key, cause=Cause.BUG, message="broken")
        if n % 5 == 0 and attempt.number < 3:
            return Failed(key=attempt.task.key, cause=Cause.PREEMPTED, message="gone")
        return Succeeded(key=attempt.task.key, measurements={}, duration_s=1.0, reused=n % 11 == 0)

    scheduler = Scheduler(tasks, list(tasks), limits=dict.fromkeys(Lane, 4))
    backend = SimulatedBackend(Slots(cpus=4.0, gpus=0.0), duration_s=lambda attempt: 1.0, outcome=outcome)
    store = open_store(tmp_path)
    with store.open_journal("s", "driver") as journal:
        journal.append("start", term=1)
        attempts = scheduler.start(frozenset(), {})
        drive(scheduler, attempts, backend, [JournalWriter(journal)], clock=lambda: backend.now_s)
    found = status_of("s", History.of(store.read_journal("s")), driver=None, gpu_hours_cap=None, now_s=0.0)
    replayed = Counter(
        {TaskState(state): getattr(stage(found, StageKind.SCORE), state) for state in ("done", "failed", "reused")}
    )
    assert replayed == Counter({state: count for (_, state), count in scheduler.counts.items() if count})
    assert found.retries == scheduler.retries
    assert {task.key for task in found.failed_tasks} == {failed.key for failed in scheduler.failures}


def test_tasks_that_another_sweep_computes_are_waiting_and_it_is_named():
    counts = {**COUNTS, "stages": {"train": {"elsewhere": 2, "running": 1}}, "elsewhere": {"other": 2}}
    found = status(START, counts, holder=driver())
    assert (stage(found).waiting, stage(found).running, found.elsewhere) == (2, 1, {"other": 2})
    page = io.StringIO()
    Console(file=page, width=200).print(status_page(found))
    assert "waiting for other: 2 tasks that it computes" in page.getvalue()
    assert status(START, counts, END).elsewhere == {}
