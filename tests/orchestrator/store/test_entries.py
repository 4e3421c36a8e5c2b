"""Journals with changed characters: whatever is read of them computes all the same."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_tasks import plain_task
from rich.console import Console

from jobs.outcome import Cause, Failed, Succeeded, Usage
from jobs.resources import Resources
from jobs.stages.table import StageKind
from orchestrator.backends import SimulatedBackend, Slots
from orchestrator.commands.status_text import status_line, status_page
from orchestrator.commands.story_text import retries_page, story_lines
from orchestrator.driver.journal_writer import JournalWriter
from orchestrator.driver.run import drive
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.status import Driver, past_attempts, read_history, retries_of, status_of, story_of
from orchestrator.store import open_store
from orchestrator.store.entries import UNREADABLE, read_entry

TASKS = {
    task.key: task
    for task in (
        plain_task(StageKind.TUNE, resources=Resources(num_gpus=0.5), family="net", label=f"net/{n}", n=n)
        for n in range(3)
    )
}
DRIVER = Driver(host="h", pid=7, term=1, since_s=99.0, quiet_s=1.0, alive=True)
PATH = "journal/s/d.jsonl"


def outcome(attempt):
    key, n = attempt.task.key, attempt.task.params.n
    if n == 1:
        return Failed(key=key, cause=Cause.BUG, message="broken", host="a")
    if n == 2 and attempt.number == 1:
        return Failed(key=key, cause=Cause.TRANSIENT, message="the disk is away", host="a")
    usage = Usage(memory_bytes=1000, gpu_fraction=0.3)
    return Succeeded(key=key, measurements={}, duration_s=1.5, host="b", usage=usage, deviation="by 1" if n else "")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A store with the journal of one run, and that journal."""
    store = open_store(tmp_path_factory.mktemp("store"))
    backend = SimulatedBackend(Slots(cpus=8.0, gpus=1.0), duration_s=lambda attempt: 1.0, outcome=outcome)
    scheduler = Scheduler(TASKS, list(TASKS), limits=dict.fromkeys(Lane, 4))
    with store.open_journal("s", "d") as journal:
        journal.append("start", term=1)
        attempts = scheduler.start(frozenset(), {})
        drive(scheduler, attempts, backend, [JournalWriter(journal)], clock=lambda: backend.now_s)
        journal.append("avoided", node="n")
        journal.append("lost", entries=1)
        journal.append("end", complete=False, stopped="")
    return store, store.files.read(PATH)


def read_everything(store) -> int:
    """All that commands and drivers make of a journal; returns the number of lines that no one could read."""
    console = Console(width=100, quiet=True)
    for holder in (None, DRIVER):
        found = status_of("s", read_history(store.files, "s"), driver=holder, gpu_hours_cap=1.0, now_s=time.time())
        json.dumps(found.to_json(), allow_nan=False)
        console.print(status_line(found), status_page(found))
    attempts = list(past_attempts("s", store.read_journal("s")))
    console.print(retries_page("s", retries_of(attempts)))
    for each in attempts:
        console.print(*story_lines(story_of(each.key, attempts)))
    history = read_history(store.files, "s")
    assert 0 <= history.gpu_s < float("inf")
    for task in TASKS.values():
        assert 0 <= history.cost_model.expected_s(task) < float("inf")
        assert history.cost_model.resources(task).num_gpus <= 1
    return found.unreadable_entries


def test_a_whole_journal_has_no_unreadable_line(written):
    store, content = written
    store.files.replace(PATH, content)
    assert read_everything(store) == 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_changed_character_ends_nothing(written, data):
    store, content = written
    place = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b'e-"{}[],:9.\n')))
    store.files.replace(PATH, content[:place] + bytes([other]) + content[place + 1 :])
    assert read_everything(store) <= 2


@pytest.mark.parametrize(
    ("found", "changed"),
    [
        (b'"gpu_fraction"', b'"gpu_fvaction"'),
        (b'"kind": "start"', b'"kifd": "start"'),
        (b'"tune"', b'"tsne"'),
        (b'"gpu_s": 0.75', b'"gpu_s": "0.75"'),
        (b'"at_s": 1', b'"at_s": 1e99'),
        (b'"work": 1.0', b'"work": 0.0'),
        (b'"duration_s": 1.5', b'"duration_s": NaN'),
    ],
)
def test_what_users_saw(written, found, changed):
    store, content = written
    assert found in content
    store.files.replace(PATH, content.replace(found, changed))
    read_everything(store)


@pytest.mark.parametrize("line", [b"", b"[]", b"[" * 100_000, b'{"kind":"avoided","at_s":' + b"9" * 6000, b"\0\xff"])
def test_a_line_that_is_no_entry_is_unreadable(line):
    assert read_entry(line) == UNREADABLE
