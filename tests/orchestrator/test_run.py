"""The loop, on the simulated backend: what is driven, observed and journalled."""

import pytest

from jobs.outcome import Cause, Failed, Succeeded
from jobs.task import Resources, StageKind, make_task
from orchestrator.backends import SimulatedBackend, Slots
from orchestrator.machine import Lane, Machine
from orchestrator.run import JournalKeeper, drive, in_flight_limits
from orchestrator.store import Journal, read_journal


def scores(count: int) -> dict:
    tasks = [make_task(StageKind.SCORE, params={"n": n}, inputs={}, environment={}) for n in range(count)]
    return {task.key: task for task in tasks}


def machine_of(tasks) -> Machine:
    return Machine(tasks, list(tasks), order_resources=Resources(), limits=dict.fromkeys(Lane, 4))


def backend_of(outcome) -> SimulatedBackend:
    return SimulatedBackend(Slots(cpus=2.0, gpus=0.0), duration_s=lambda task: 0.1, outcome=outcome)


def succeed(task):
    return Succeeded(key=task.key, measurements={}, duration_s=0.1, reused=task.params["n"] == 0)


class Recorder:
    def __init__(self) -> None:
        self.batches: list[int] = []

    def update(self, machine, outcomes) -> None:
        self.batches.append(len(outcomes))


def test_it_runs_to_the_end_and_counts_what_was_computed():
    machine = machine_of(scores(5))
    summary = drive(machine, machine.start(frozenset(), {}), backend_of(succeed), [])
    # One of the five came back as reused: another driver had committed it.
    assert (summary.computed, summary.complete, summary.blocked) == (4, True, 0)


def test_observers_are_told_at_once_and_of_every_outcome():
    machine, recorder = machine_of(scores(5)), Recorder()
    drive(machine, machine.start(frozenset(), {}), backend_of(succeed), [recorder])
    assert recorder.batches == [0, 2, 2, 1]  # two slots


def test_a_failure_is_in_the_summary_and_the_sweep_is_not_complete():
    tasks = scores(3)
    bad = next(iter(tasks))

    def outcome(task):
        if task.key == bad:
            return Failed(key=bad, cause=Cause.BUG, message="broken", log="/log")
        return succeed(task)

    machine = machine_of(tasks)
    summary = drive(machine, machine.start(frozenset(), {}), backend_of(outcome), [])
    assert not summary.complete
    assert [failure.message for failure in summary.failures] == ["broken"]


def test_the_journal_has_every_attempt_with_its_cause(tmp_path):
    tasks = scores(1)
    losses = iter([Cause.PREEMPTED, Cause.PREEMPTED])

    def outcome(task):
        cause = next(losses, None)
        if cause is None:
            return Succeeded(key=task.key, measurements={}, duration_s=0.1, host="b")
        return Failed(key=task.key, cause=cause, message="the node went away", host="a")

    machine = machine_of(tasks)
    with Journal(tmp_path / "j.jsonl") as journal:
        drive(machine, machine.start(frozenset(), {}), backend_of(outcome), [JournalKeeper(journal)])
    entries = [(entry["kind"], entry["host"], entry.get("retried")) for entry in read_journal(tmp_path / "j.jsonl")]
    assert entries == [("failed", "a", True), ("failed", "a", True), ("succeeded", "b", None)]


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        (Slots(cpus=2, gpus=0), {Lane.CPU: 8, Lane.GPU: 8}),  # never fewer than 8, so that no worker waits
        (Slots(cpus=64, gpus=16), {Lane.CPU: 128, Lane.GPU: 128}),  # twice the slots; a GPU task asks for a quarter
    ],
)
def test_tasks_in_flight_are_about_twice_the_slots(slots, expected):
    assert in_flight_limits(slots) == expected
