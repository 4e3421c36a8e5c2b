import io
import itertools

import pytest
from plain_tasks import plain_task, plain_tasks
from rich.console import Console

from jobs.outcome import Cause, Failed, Succeeded
from jobs.stages.table import StageKind
from orchestrator.driver.progress import ProgressDisplay
from orchestrator.scheduling.scheduler import Lane, Scheduler


@pytest.fixture
def tasks():
    train = plain_task(StageKind.TRAIN, label="net/seed0")
    evaluate = plain_task(StageKind.EVALUATE, inputs={"network": train.key})
    return {train.key: train, evaluate.key: evaluate}


@pytest.fixture
def scheduler(tasks):
    return Scheduler(tasks, list(tasks), limits=dict.fromkeys(Lane, 4))


def shown(scheduler, outcomes, *, terminal: bool) -> str:
    """What is written while outcomes come in, 20 seconds apart."""
    text, clock = io.StringIO(), itertools.count(0, 20)
    console = Console(file=text, force_terminal=terminal, width=100)
    with ProgressDisplay(console, lambda: next(clock)) as progress:
        progress.update(scheduler, [])
        for outcome in outcomes:
            scheduler.step([outcome])
            progress.update(scheduler, [outcome])
    return text.getvalue()


def test_off_a_terminal_it_writes_plain_lines(scheduler, tasks):
    scheduler.start(frozenset(), {})
    text = shown(scheduler, [Succeeded(key=key, measurements={}, duration_s=1.0) for key in tasks], terminal=False)
    assert "train 0/1, evaluate 0/1" in text
    assert "train 1/1, evaluate 1/1" in text
    assert "\x1b" not in text


def test_on_a_terminal_it_draws_a_table(scheduler):
    scheduler.start(frozenset(), {})
    text = shown(scheduler, [], terminal=True)
    assert all(word in text for word in ("stage", "running", "waiting", "reused", "train"))


def test_reused_tasks_are_told_apart(scheduler, tasks):
    scheduler.start(frozenset(tasks), {})
    assert "evaluate 1/1 (1 reused)" in shown(scheduler, [], terminal=False)


def test_a_failed_task_is_named_with_its_log_as_it_happens(scheduler, tasks):
    scheduler.start(frozenset(), {})
    failure = Failed(key=next(iter(tasks)), cause=Cause.BUG, message="it broke", log="/store/logs/1.log")
    text = shown(scheduler, [failure], terminal=False)
    assert "failed (bug): train net/seed0: it broke; log: /store/logs/1.log" in text


def test_of_equal_failures_the_first_is_named():
    tasks = plain_tasks(3)
    scheduler = Scheduler(tasks, list(tasks), limits=dict.fromkeys(Lane, 4))
    scheduler.start(frozenset(), {})
    failures = [Failed(key=key, cause=Cause.BUG, message="it broke") for key in tasks]
    assert shown(scheduler, failures, terminal=False).count("it broke") == 1


@pytest.mark.parametrize("nondeterministic", [True, False])
def test_a_task_that_does_not_repeat_is_named_as_it_happens_and_rounding_is_not(scheduler, tasks, nondeterministic):
    scheduler.start(frozenset(), {})
    again = Succeeded(
        key=next(iter(tasks)),
        measurements={},
        duration_s=1.0,
        deviation="loss by 0.1",
        nondeterministic=nondeterministic,
        log="/store/logs/1.log",
    )
    named = "not deterministic: train net/seed0: loss by 0.1; log: /store/logs/1.log"
    assert (named in shown(scheduler, [again], terminal=False)) == nondeterministic


def test_a_retried_loss_is_not_a_failure(scheduler, tasks):
    scheduler.start(frozenset(), {})
    loss = Failed(key=next(iter(tasks)), cause=Cause.PREEMPTED, message="the node went away")
    assert "failed" not in shown(scheduler, [loss], terminal=False)


def test_the_time_left_follows_from_the_pace_so_far():
    tasks = plain_tasks(3)
    scheduler = Scheduler(tasks, list(tasks), limits=dict.fromkeys(Lane, 4))
    scheduler.start(frozenset(), {})
    text, seconds = io.StringIO(), 0.0
    with ProgressDisplay(Console(file=text, width=100), lambda: seconds) as progress:
        progress.update(scheduler, [])
        seconds = 30.0
        outcome = Succeeded(key=next(iter(tasks)), measurements={}, duration_s=60.0)
        scheduler.step([outcome])
        progress.update(scheduler, [outcome])
        seconds = 50.0
        progress.update(scheduler, [])
        seconds = 100.0
        progress.update(scheduler, [])
    # 60 s of work took 30 s, two at a time; two tasks like it are 120 s of work, so 60 s are left.
    assert "0:30 elapsed, about 1:00 left" in text.getvalue()
    # What runs, or is waited for, takes time without ending: that does not change the pace.
    assert "0:50 elapsed, about 0:40 left" in text.getvalue()
    assert "1:40 elapsed, at least 0:00 left" in text.getvalue()


def test_while_a_stage_is_unseen_the_time_left_is_a_lower_bound(scheduler, tasks):
    scheduler.start(frozenset(), {})
    text = shown(scheduler, [Succeeded(key=next(iter(tasks)), measurements={}, duration_s=1.0)], terminal=False)
    assert "at least 0:00 left" in text  # evaluate has not run yet


def test_it_says_for_whom_tasks_wait(scheduler, tasks):
    scheduler.start(frozenset(), {})
    scheduler.leave({next(iter(tasks)): "other"})
    assert "1 tasks wait for other" in shown(scheduler, [], terminal=False)
