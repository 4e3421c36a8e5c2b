"""The loop, on the simulated backend: what is driven, observed and waited for."""

import threading
import time
from collections import Counter
from dataclasses import replace

from plain_tasks import PlainParams, plain_task, plain_tasks

from jobs.outcome import Cause, Failed, Succeeded
from jobs.stages.table import StageKind
from orchestrator.backends import InlineBackend, SimulatedBackend, Slots
from orchestrator.driver.lease import DriverLease
from orchestrator.driver.run import drive
from orchestrator.driver.steering import in_flight_limits
from orchestrator.scheduling.graph import TaskState
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.store import Lease, open_store
from workers.attempt.entry import Provenance
from workers.stages import Product


def scheduler_of(tasks) -> Scheduler:
    return Scheduler(tasks, list(tasks), limits=dict.fromkeys(Lane, 4))


def backend_of(outcome) -> SimulatedBackend:
    return SimulatedBackend(Slots(cpus=2.0, gpus=0.0), duration_s=lambda attempt: 0.1, outcome=outcome)


def succeed(attempt):
    reused = attempt.task.params.n == 0
    return Succeeded(key=attempt.task.key, measurements={}, duration_s=0.1, reused=reused)


def driven(scheduler, backend, *observers, **changes):
    attempts = scheduler.start(frozenset(), {})
    return drive(scheduler, attempts, backend, observers, clock=lambda: backend.now_s, **changes)


class Recorder:
    def __init__(self) -> None:
        self.batches: list[int] = []

    def update(self, scheduler, outcomes) -> None:
        self.batches.append(len(outcomes))


def test_it_runs_to_the_end_and_counts_what_was_computed():
    summary = driven(scheduler_of(plain_tasks(5)), backend_of(succeed))
    # One of the five came back as reused: another driver had committed it.
    assert (summary.computed, summary.complete, summary.blocked, summary.stopped) == (4, True, 0, "")


def test_observers_are_told_at_once_and_of_every_outcome():
    recorder = Recorder()
    driven(scheduler_of(plain_tasks(5)), backend_of(succeed), recorder)
    assert recorder.batches == [0, 2, 2, 1]  # two slots


def test_a_failure_is_in_the_summary_and_the_sweep_is_not_complete():
    tasks = plain_tasks(3)
    bad = next(iter(tasks))

    def outcome(attempt):
        if attempt.task.key == bad:
            return Failed(key=bad, cause=Cause.BUG, message="broken", log="/log")
        return succeed(attempt)

    summary = driven(scheduler_of(tasks), backend_of(outcome))
    assert not summary.complete
    assert [failure.message for failure in summary.failures] == ["broken"]


def test_a_transient_fault_is_waited_out():
    def outcome(attempt):
        if attempt.number < 3:
            return Failed(key=attempt.task.key, cause=Cause.TRANSIENT, message="the disk is full")
        return succeed(replace(attempt, task=replace(attempt.task, params=PlainParams(named={"n": 1}))))

    backend = backend_of(outcome)
    summary = driven(scheduler_of(plain_tasks(1)), backend)
    assert summary.complete
    assert summary.retries == {Cause.TRANSIENT: 2}
    assert backend.now_s >= 0.5 + 1.0  # the least that two back-offs take


def test_a_damaged_artifact_is_put_aside_before_it_is_made_again():
    source = plain_task(StageKind.SCORE, n=1)
    reader = plain_task(StageKind.PRUNE, inputs={"scores": source.key}, n=2)
    events = []

    def outcome(attempt):
        events.append(attempt.task.stage)
        if attempt.task.stage is StageKind.PRUNE and events.count(StageKind.PRUNE) == 1:
            return Failed(key=reader.key, cause=Cause.CORRUPT, message="damaged", damaged=source.key)
        return succeed(attempt)

    scheduler = scheduler_of({source.key: source, reader.key: reader})
    summary = driven(scheduler, backend_of(outcome), quarantine=events.append)
    assert events == [StageKind.SCORE, StageKind.PRUNE, source.key, StageKind.SCORE, StageKind.PRUNE]
    assert summary.complete


def test_a_scheduler_that_was_stopped_says_why():
    class Stopper:
        def update(self, scheduler, outcomes) -> None:
            if outcomes:
                scheduler.stop("enough")

    summary = driven(scheduler_of(plain_tasks(9)), backend_of(succeed), Stopper())
    assert (summary.complete, summary.stopped) == (False, "enough")


def test_a_damaged_artifact_that_cannot_be_put_aside_ends_no_sweep():
    source = plain_task(StageKind.SCORE, n=1)
    reader = plain_task(StageKind.PRUNE, inputs={"scores": source.key}, n=2)
    other = plain_task(StageKind.SCORE, n=3)

    def outcome(attempt):
        if attempt.task is reader:
            return Failed(key=reader.key, cause=Cause.CORRUPT, message="damaged", damaged=source.key)
        return succeed(attempt)

    def full(key):
        raise OSError("No space left on device")

    scheduler = scheduler_of({task.key: task for task in (source, reader, other)})
    summary = driven(scheduler, backend_of(outcome), quarantine=full)
    assert [failure.key for failure in summary.failures] == [reader.key]
    assert scheduler.state_of(other.key) is TaskState.DONE


def test_while_the_store_does_not_answer_the_loop_goes_round_and_hears_that_it_is_to_stop():
    asked, rounds = [], []

    class Silent:
        def claim(self, keys):
            asked.append(keys)
            return dict.fromkeys(keys, "")

        def release(self, outcomes) -> None: ...

        def look(self, keys) -> None: ...

    class Stopper:
        def update(self, scheduler, outcomes) -> None:
            rounds.append(len(asked))
            if len(rounds) == 3:
                scheduler.stop("told to end")

    summary = driven(scheduler_of(plain_tasks(60)), backend_of(succeed), Stopper(), claims=Silent())
    assert rounds[:3] == [1, 2, 3]  # not all 60 tasks in the first
    assert (summary.stopped, summary.computed) == ("told to end", 0)


def test_two_sweeps_at_once_compute_each_task_that_they_share_once(tmp_path):
    tasks = plain_tasks(30)
    computed, summaries = Counter(), []
    begin = threading.Barrier(2)

    def stage(context):
        computed[context.task.key] += 1
        time.sleep(0.005)
        return Product(measurements={})

    def run(sweep, keys):
        store = open_store(tmp_path)
        with DriverLease(store, Lease.acquire(store.files, sweep), beat_s=0.05) as lease:
            backend = InlineBackend(store, Provenance(), may_commit=lease.may_commit, stage_of=lambda kind: stage)
            scheduler = Scheduler(tasks, keys, limits=dict.fromkeys(Lane, 4))
            begin.wait()
            lease.claim_keys()
            summaries.append(drive(scheduler, scheduler.start(frozenset(), {}), backend, [], claims=lease.keys))

    keys = list(tasks)
    threads = [threading.Thread(target=run, args=each) for each in (("a", keys), ("b", keys[::-1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [summary.complete for summary in summaries] == [True, True]
    assert computed == Counter(keys)
    assert sum(summary.computed for summary in summaries) == 30


def test_while_a_driver_computes_a_task_itself_another_one_computes_the_rest(tmp_path):
    tasks = plain_tasks(6)
    slow, *rest = tasks
    begun, rest_done = threading.Event(), threading.Event()
    computed, seen = Counter(), []

    def stage(context):
        key = context.task.key
        if key == slow:
            begun.set()
            seen.append(rest_done.wait(timeout=60))
        computed[key] += 1
        if set(rest) <= computed.keys():
            rest_done.set()
        return Product(measurements={})

    def run(sweep):
        store = open_store(tmp_path)
        with DriverLease(store, Lease.acquire(store.files, sweep), beat_s=0.05) as lease:
            backend = InlineBackend(store, Provenance(), may_commit=lease.may_commit, stage_of=lambda kind: stage)
            scheduler = Scheduler(tasks, list(tasks), limits=in_flight_limits(backend.slots(), backend.node_kinds()))
            lease.claim_keys()
            drive(scheduler, scheduler.start(frozenset(), {}), backend, [], claims=lease.keys)

    first, second = (threading.Thread(target=run, args=(sweep,)) for sweep in ("a", "b"))
    first.start()
    begun.wait(timeout=60)
    second.start()
    for thread in (first, second):
        thread.join()
    assert seen == [True]
    assert computed == Counter(list(tasks))
