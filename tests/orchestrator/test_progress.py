import io
import itertools

import pytest
from rich.console import Console

from jobs.outcome import Cause, Failed, Succeeded
from jobs.task import Resources, StageKind, make_task
from orchestrator.machine import Lane, Machine
from orchestrator.progress import Progress


@pytest.fixture
def tasks():
    train = make_task(StageKind.TRAIN, params={}, inputs={}, environment={}, label="net/seed0")
    evaluate = make_task(StageKind.EVALUATE, params={}, inputs={"network": train.key}, environment={})
    return {train.key: train, evaluate.key: evaluate}


@pytest.fixture
def machine(tasks):
    return Machine(tasks, list(tasks), order_resources=Resources(), limits=dict.fromkeys(Lane, 4))


def shown(machine, outcomes, *, terminal: bool) -> str:
    """What is written while outcomes come in, 20 seconds apart."""
    text, clock = io.StringIO(), itertools.count(0, 20)
    console = Console(file=text, force_terminal=terminal, width=100)
    with Progress(console, lambda: next(clock)) as progress:
        progress.update(machine, [])
        for outcome in outcomes:
            machine.step([outcome])
            progress.update(machine, [outcome])
    return text.getvalue()


def test_off_a_terminal_it_writes_plain_lines(machine, tasks):
    machine.start(frozenset(), {})
    text = shown(machine, [Succeeded(key=key, measurements={}, duration_s=1.0) for key in tasks], terminal=False)
    assert "train 0/1, evaluate 0/1" in text
    assert "train 1/1, evaluate 1/1" in text
    assert "\x1b" not in text


def test_on_a_terminal_it_draws_a_table(machine):
    machine.start(frozenset(), {})
    text = shown(machine, [], terminal=True)
    assert all(word in text for word in ("stage", "running", "waiting", "reused", "train"))


def test_reused_tasks_are_told_apart(machine, tasks):
    machine.start(frozenset(tasks), {})
    assert "evaluate 1/1 (1 reused)" in shown(machine, [], terminal=False)


def test_a_failed_task_is_named_with_its_log_as_it_happens(machine, tasks):
    machine.start(frozenset(), {})
    failure = Failed(key=next(iter(tasks)), cause=Cause.BUG, message="it broke", log="/store/logs/1.log")
    text = shown(machine, [failure], terminal=False)
    assert "failed (bug): train net/seed0: it broke; log: /store/logs/1.log" in text


@pytest.mark.parametrize("nondeterministic", [True, False])
def test_a_task_that_does_not_repeat_is_named_as_it_happens_and_rounding_is_not(machine, tasks, nondeterministic):
    machine.start(frozenset(), {})
    again = Succeeded(
        key=next(iter(tasks)),
        measurements={},
        duration_s=1.0,
        deviation="loss by 0.1",
        nondeterministic=nondeterministic,
        log="/store/logs/1.log",
    )
    named = "not deterministic: train net/seed0: loss by 0.1; log: /store/logs/1.log"
    assert (named in shown(machine, [again], terminal=False)) == nondeterministic


def test_a_retried_loss_is_not_a_failure(machine, tasks):
    machine.start(frozenset(), {})
    loss = Failed(key=next(iter(tasks)), cause=Cause.PREEMPTED, message="the node went away")
    assert "failed" not in shown(machine, [loss], terminal=False)


def test_the_time_left_follows_from_the_pace_so_far():
    tasks = [make_task(StageKind.TRAIN, params={"n": n}, inputs={}, environment={}) for n in range(3)]
    machine = Machine(
        {t.key: t for t in tasks}, [t.key for t in tasks], order_resources=Resources(), limits=dict.fromkeys(Lane, 4)
    )
    machine.start(frozenset(), {})
    text, seconds = io.StringIO(), 0.0
    with Progress(Console(file=text, width=100), lambda: seconds) as progress:
        progress.update(machine, [])
        seconds = 30.0
        outcome = Succeeded(key=tasks[0].key, measurements={}, duration_s=60.0)
        machine.step([outcome])
        progress.update(machine, [outcome])
    # 60 s of work took 30 s, two at a time; two tasks like it are 120 s of work, so 60 s are left.
    assert "0:30 elapsed, about 1:00 left" in text.getvalue()


def test_while_a_stage_is_unseen_the_time_left_is_a_lower_bound(machine, tasks):
    machine.start(frozenset(), {})
    text = shown(machine, [Succeeded(key=next(iter(tasks)), measurements={}, duration_s=1.0)], terminal=False)
    assert "at least 0:00 left" in text  # evaluate has not run yet
