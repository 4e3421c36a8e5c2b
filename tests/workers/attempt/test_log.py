"""The log of an attempt in the store."""

import logging
from pathlib import Path

import pytest
from attempts import PRODUCT, a_task, raising, returning

from jobs.errors import BadInputError, BadNumericsError, CancelledError
from jobs.outcome import Cause
from orchestrator.store import open_store
from workers.attempt.entry import run_task


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.mark.parametrize("error", [BadInputError("no such layer"), CancelledError("stopped"), KeyError("role")])
def test_every_failure_names_a_log_that_tells_its_story(store, error):
    task = a_task()
    outcome = run_task(task, store, stage_of=raising(error))
    text = Path(outcome.log).read_text()
    for part in ("score net/l1@40%/seed3", task.key, str(error), "Traceback", type(error).__name__):
        assert part in text


def test_what_the_stage_logged_stands_in_the_log(store):
    def run(context):
        logging.getLogger("orchard").warning("epoch %d: loss %.1f", 7, 2.5)
        raise BadNumericsError("the loss is nan")

    outcome = run_task(a_task(), store, stage_of=lambda stage: run)
    assert "epoch 7: loss 2.5" in Path(outcome.log).read_text()


def test_no_log_handler_is_left_behind(store):
    before = list(logging.getLogger("orchard").handlers)
    run_task(a_task(), store, stage_of=raising(RuntimeError("bug")))
    run_task(a_task(), store, stage_of=returning(PRODUCT))
    assert logging.getLogger("orchard").handlers == before


def test_two_attempts_have_two_logs(store):
    first, second = (run_task(a_task(), store, stage_of=raising(RuntimeError("bug"))) for _ in range(2))
    assert first.log != second.log


def test_a_log_that_cannot_be_written_does_not_hide_the_failure(store, monkeypatch):
    def full(key, text):
        raise OSError("no space left on device")

    monkeypatch.setattr(store, "write_log", full)
    outcome = run_task(a_task(), store, stage_of=raising(RuntimeError("bug")))
    assert (outcome.cause, outcome.message) == (Cause.BUG, "RuntimeError: bug")
    assert outcome.log.startswith("not written: no space left on device")


def logs(store):
    return [path.read_text() for path in Path(store.uri, "logs").rglob("*.log")]


def test_a_success_leaves_a_log_where_its_stage_said_something(store):
    def run(context):
        logging.getLogger("orchard").info("epoch 1")
        return PRODUCT

    run_task(a_task(), store, stage_of=lambda stage: run)
    assert logs(store) == [f"score net/l1@40%/seed3 ({a_task().key})\nepoch 1"]


def test_a_silent_success_leaves_no_log(store):
    run_task(a_task(), store, stage_of=returning(PRODUCT))
    assert logs(store) == []
