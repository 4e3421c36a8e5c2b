import json
import logging
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.store import Journal, open_store
from orchestrator.store import journal as journal_module
from orchestrator.store.entries import UNREADABLE
from orchestrator.store.files import FolderFiles
from orchestrator.store.journal import new_driver_name, open_journal, read_journal


class Disk:
    """An `Appender` in memory that may be full."""

    interval_s = 0.0

    def __init__(self) -> None:
        self.content = b""
        self.full = False

    def append(self, content: bytes) -> None:
        if self.full:
            raise OSError("No space left on device")
        self.content += content

    def close(self) -> None:
        if self.full:
            raise OSError("No space left on device")

    def kinds(self) -> list[str]:
        return [json.loads(line)["kind"] for line in self.content.splitlines()]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def nodes(files) -> list[str]:
    """What was written, torn lines aside."""
    return [entry["node"] for entry in read_journal(files, "s") if entry is not UNREADABLE]


def test_the_run_of_the_later_term_is_the_last_one_whatever_the_clocks_say(store, monkeypatch):
    names = ["20261129T043532.123456-abcdef"]  # of version 0.2
    for term, clock_s in ((2, 1e9), (3, 1e9 - 600), (3, 1e9 - 599), (10, 1e9 - 700)):
        monkeypatch.setattr(journal_module.time, "time_ns", lambda clock_s=clock_s: int(clock_s * 1e9))
        names.append(new_driver_name(term))
    for name in reversed(names):
        with store.open_journal("s", name) as journal:
            journal.append("avoided", node=name)
    assert nodes(store.files) == names


def test_what_was_flushed_survives_the_process(store):
    journal = store.open_journal("s", "d")
    journal.append("avoided", node="first")
    assert nodes(store.files) == []
    journal.flush()
    assert nodes(store.files) == ["first"]
    journal.close()


def test_a_full_disk_ends_nothing_and_its_entries_come_later(caplog):
    disk = Disk()
    with Journal(disk, "store/journal/s/d") as journal, caplog.at_level(logging.WARNING, "orchard"):
        for disk.full, kind in ((False, "first"), (True, "second"), (True, "third"), (False, "fourth")):
            journal.append(kind)
            journal.flush()
        assert disk.kinds() == ["first", "second", "third", "fourth"]
    assert [record.message for record in caplog.records] == [
        "store/journal/s/d: the journal cannot be written (No space left on device); the sweep goes on, and up to "
        "100000 entries are kept in memory"
    ]


def test_a_disk_that_stays_full_does_not_fail_the_end(caplog):
    disk = Disk()
    disk.full = True
    with Journal(disk, "d") as journal:
        journal.append("first")
    assert disk.kinds() == []


def test_what_waits_is_bounded_and_what_is_given_up_is_counted(monkeypatch):
    monkeypatch.setattr(journal_module, "MOST_WAITING", 3)
    disk = Disk()
    disk.full = True
    with Journal(disk, "d") as journal:
        for number in range(5):
            journal.append(f"entry {number}")
            journal.flush()
        disk.full = False
    assert disk.kinds() == ["lost", "entry 2", "entry 3", "entry 4"]
    assert json.loads(disk.content.splitlines()[0])["entries"] == 2


def test_where_a_write_is_a_request_entries_are_gathered(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    disk = Disk()
    disk.interval_s = 5.0
    journal = Journal(disk, "d")
    for now[0] in (0.0, 4.0, 6.0):
        journal.append(f"at {now[0]}")
        journal.flush()
    assert disk.kinds() == ["at 0.0", "at 4.0", "at 6.0"]
    journal.append("after")
    journal.flush()
    assert disk.kinds()[-1] == "at 6.0"
    journal.close()
    assert disk.kinds()[-1] == "after"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60)), min_size=1, max_size=5))
def test_whatever_is_torn_off_costs_only_the_lines_it_touches(sessions):
    """Each driver of the same file writes some entries, then dies; its last bytes are torn off."""
    with tempfile.TemporaryDirectory() as folder:
        files = FolderFiles(folder)
        expected: list[str] = []
        number = 0
        for count, torn in sessions:
            journal = open_journal(files, "s", "d")
            before = len(files.read("journal/s/d.jsonl"))
            written = []
            for _ in range(count):
                number += 1
                journal.append("avoided", node=f"entry {number}")
                written.append(f"entry {number}")
            journal.flush()
            content = files.read("journal/s/d.jsonl")
            kept = max(before, len(content) - torn)
            files.replace("journal/s/d.jsonl", content[:kept])
            whole = content[before:kept].splitlines(keepends=True)
            # A line without its end is whole JSON all the same if only the end of line was torn off.
            lines = [line for line in whole if line.strip().endswith(b"}")]
            expected += written[: len(lines)]
        assert nodes(files) == expected


def test_segments_of_an_object_store_are_never_written_twice(objects, monkeypatch):
    written = []
    replace = objects.replace
    monkeypatch.setattr(objects, "replace", lambda path, content: (written.append(path), replace(path, content)))
    now = [0.0]
    monkeypatch.setattr("orchestrator.store.journal.time.monotonic", lambda: now[0])
    with open_journal(objects, "s", "d") as journal:
        for now[0] in (0.0, 100.0, 200.0):
            journal.append("avoided", node=f"at {now[0]}")
            journal.flush()
    assert written == [f"journal/s/d-{number:08d}.jsonl" for number in range(3)]
    assert nodes(objects) == ["at 0.0", "at 100.0", "at 200.0"]
