"""In-flight limits, and how a run is stopped: on the simulated backend, with a test double of the lease."""

import pytest
from plain_tasks import plain_task, plain_tasks

from jobs.outcome import Cause, Failed, Succeeded
from jobs.stages.table import StageKind
from orchestrator.backends import NodeKind, SimulatedBackend, Slots
from orchestrator.driver.lease import CANCELLED, LOST
from orchestrator.driver.run import drive
from orchestrator.driver.steering import Steering, capacity, in_flight_limits
from orchestrator.scheduling.graph import TaskState
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.scheduling.sharing import Claim


class LeaseDouble:
    """A driver's lease whose state a test sets; records calls."""

    def __init__(self, reason="", others=(), told=""):
        self.reason = reason
        self.told = told
        self.others = list(others)
        self.asked = 0
        self.demand = {}

    lost = property(lambda self: self.reason == LOST)

    def should_stop(self):
        return bool(self.reason)

    def look(self):
        self.reason = self.told

    def overdue(self):
        return self.lost or self.asked > 0

    def tell(self, *, cluster, demand):
        self.demand = demand

    def claims(self, lane):
        return [Claim(sweep="mine", priority=0, demand=self.demand[lane]), *self.others]

    def ask_tasks_to_stop(self):
        self.asked += 1


def succeed(attempt):
    return Succeeded(key=attempt.task.key, measurements={}, duration_s=1.0)


def run(lease, count=50, on_update=lambda scheduler, outcomes: None, outcome=succeed):
    backend = SimulatedBackend(
        Slots(cpus=10.0, gpus=0.0),
        duration_s=lambda attempt: 1.0,
        outcome=outcome,
    )
    limits = in_flight_limits(backend.slots(), backend.node_kinds())
    tasks = plain_tasks(count)
    scheduler = Scheduler(tasks, list(tasks), limits=limits)

    class Watcher:
        def update(self, scheduler, outcomes):
            on_update(scheduler, outcomes)

    observers = [Watcher(), Steering(lease, backend, clock=lambda: backend.now_s)]
    attempts = scheduler.start(frozenset(), {})
    return scheduler, drive(scheduler, attempts, backend, observers, clock=lambda: backend.now_s)


def test_about_twice_the_slots_are_in_flight():
    assert in_flight_limits(Slots(cpus=64.0, gpus=16.0), []) == {Lane.CPU: 128.0, Lane.GPU: 32.0}
    assert in_flight_limits(Slots(cpus=1.0, gpus=0.0), []) == {Lane.CPU: 8.0, Lane.GPU: 2.0}  # no worker waits


def test_where_tasks_run_one_by_one_none_is_taken_ahead():
    assert in_flight_limits(Slots(cpus=8.0, gpus=1.0, at_once=1), []) == {Lane.CPU: 1.0, Lane.GPU: 1.0}


def test_what_could_be_started_counts_so_that_it_is_asked_for():
    kinds = [NodeKind(name="gpu", cpus=8, gpus=1, count=64), NodeKind(name="head", cpus=0, gpus=0)]
    assert capacity(Slots(cpus=8.0, gpus=1.0), kinds) == {Lane.CPU: 512.0, Lane.GPU: 64.0}


def test_a_sweep_alone_runs_to_its_end():
    _, summary = run(LeaseDouble())
    assert summary.complete


def test_another_sweep_on_the_cluster_gets_its_half():
    lease, seen = LeaseDouble(others=[Claim(sweep="other", priority=0, demand=100.0)]), []
    run(lease, on_update=lambda scheduler, outcomes: seen.append(scheduler.limits[Lane.CPU]))
    assert seen[0] == 20.0  # before anything of the other is known
    assert set(seen[1:-1]) == {5.0}


def test_a_cancelled_run_asks_its_tasks_to_stop_and_then_makes_them():
    lease = LeaseDouble()

    def cancel_soon(scheduler, outcomes):
        if outcomes:
            lease.reason = CANCELLED

    scheduler, summary = run(lease, on_update=cancel_soon)
    assert (lease.asked, summary.complete, summary.stopped) == (1, False, CANCELLED)
    assert summary.failures == ()  # cut short, not failed
    assert 0 < summary.computed < 50
    assert scheduler.in_flight == 0


@pytest.mark.parametrize("reason", [CANCELLED, ""])
def test_tasks_that_know_first_that_they_are_to_stop_have_not_failed(reason):
    lease = LeaseDouble(told=reason)

    def outcome(attempt):
        return Failed(key=attempt.task.key, cause=Cause.CANCELLED, message="asked to stop")

    _, summary = run(lease, outcome=outcome)
    assert (summary.complete, summary.failures) == (False, ())
    assert summary.stopped == (reason or "its tasks were asked to stop")
    assert {state for (_, state), count in summary.counts.items() if count} == {TaskState.READY}


def test_a_driver_that_lost_its_lease_raises_no_flag_for_its_successor():
    lease = LeaseDouble()

    def lose(scheduler, outcomes):
        if outcomes:
            lease.reason = LOST

    _, summary = run(lease, on_update=lose)
    assert (lease.asked, summary.stopped) == (0, LOST)


def test_a_failure_that_is_the_tasks_own_counts_even_while_stopping():
    task = plain_task(StageKind.SCORE)
    scheduler = Scheduler({task.key: task}, [task.key], limits=dict.fromkeys(Lane, 4))
    scheduler.start(frozenset(), {})
    scheduler.stop(CANCELLED)
    scheduler.step([Failed(key=task.key, cause=Cause.BUG, message="broken")])
    assert [failure.message for failure in scheduler.failures] == ["broken"]
