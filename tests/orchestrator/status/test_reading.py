"""Summaries of long journals: with one or without, damaged or not, a journal amounts to the same."""

import json

import pytest
from dict_files import DictFiles
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.status import History, read_history, reading
from orchestrator.store import journal as journal_module
from orchestrator.store.journal import read_journal
from orchestrator.store.summaries import summary_path

SHARED = {
    "key": "k",
    "label": "net",
    "attempt": 1,
    "host": "h",
    "family": "net",
    "memory_bytes": 5,
    "gpu_fraction": 0.1,
}
DONE = {**SHARED, "kind": "succeeded", "duration_s": 0.1, "gpu_s": 0.7, "work": 2.0, "reused": False}
FAILED = {**SHARED, "kind": "failed", "duration_s": 3.0, "cause": "bug", "message": "broken", "final": True}
KINDS = [
    {"kind": "start", "term": 1},
    {"kind": "counts", "stages": {"train": {"running": 2, "waiting": 3}}},
    {"kind": "avoided", "node": "n"},
    {"kind": "lost", "entries": 2},
    {"kind": "end", "complete": False, "stopped": "cancelled"},
    *({**DONE, "stage": stage} for stage in ("train", "tune")),
    {**DONE, "stage": "tune", "deviation": "by 1"},
    {**FAILED, "stage": "tune"},
    {**FAILED, "stage": "train", "cause": "preempted", "final": False},
    {"kind": "no such kind"},
]
FIRST, SECOND = "journal/s/1.jsonl", "journal/s/2.jsonl"


def lines(*numbers: int) -> bytes:
    return b"".join(json.dumps({**KINDS[n], "at_s": 100.0 + n}).encode() + b"\n" for n in numbers)


def by_lines(files) -> History:
    return History.of(read_journal(files, "s"))


@pytest.fixture
def files(monkeypatch):
    monkeypatch.setattr(reading, "LINES_BEYOND", 3)
    return DictFiles()


journals = st.lists(st.lists(st.integers(0, len(KINDS) - 1), max_size=6).map(lambda each: lines(*each)), max_size=3)


@settings(max_examples=60, deadline=None)
@given(journals, st.lists(st.integers(0, 4000), max_size=5), st.integers(1, 500), st.booleans())
def test_read_in_pieces_a_journal_amounts_to_the_same(contents, cuts, chunk, torn):
    """It grows, within lines too, and is read on the way; a driver may die within a line."""
    files = DictFiles()
    whole = [content[:-3] if torn else content for content in contents]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "LINES_BEYOND", 1)
        patch.setattr(journal_module, "_CHUNK_BYTES", chunk)
        for cut in [*sorted(cuts), 10**6]:
            for number, content in enumerate(whole):
                start = sum(map(len, whole[:number]))
                if cut > start:
                    files.replace(f"journal/s/{number}.jsonl", content[: cut - start])
            assert read_history(files, "s") == by_lines(files)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_changed_summary_is_not_believed(data):
    files = DictFiles()
    files.replace(FIRST, lines(0, 1, 5, 7, 8, 9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "LINES_BEYOND", 3)
        expected = read_history(files, "s")
        sealed = files.read(summary_path("s"))
        place = data.draw(st.integers(0, len(sealed) - 1))
        other = data.draw(st.integers(0, 255).filter(lambda value: value != sealed[place]))
        files.replace(summary_path("s"), sealed[:place] + bytes([other]) + sealed[place + 1 :])
        assert read_history(files, "s") == expected
    assert files.read(summary_path("s")) == sealed  # rebuilt


def test_few_lines_have_no_summary(files):
    files.replace(FIRST, lines(0, 1))
    read_history(files, "s")
    assert not files.exists(summary_path("s"))


def test_what_a_summary_holds_is_not_read_again(files):
    files.replace(FIRST, lines(0, 1, 5, 6))
    before = read_history(files, "s")
    files.replace(FIRST, b"x" * len(lines(0, 1, 5, 6)) + lines(5))
    assert read_history(files, "s").run.attempts == before.run.attempts + 1


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (FIRST, lines(0, 1, 5, 6, 5)),  # a driver that was taken for dead wrote once more
        (FIRST, lines(0, 1)),
        ("journal/s/0.jsonl", lines(0, 5)),
    ],
)
def test_another_journal_than_was_summarised_is_read_whole(files, path, content):
    files.replace(FIRST, lines(0, 1, 5, 6))
    files.replace(SECOND, lines(0, 5))
    read_history(files, "s")
    files.replace(path, content)
    assert read_history(files, "s") == by_lines(files)


def test_a_summary_of_another_sweep_is_not_believed(files):
    files.replace(FIRST, lines(0, 5, 5))
    read_history(files, "s")
    files.replace("journal/t/1.jsonl", lines(0, 5, 5, 8))
    files.replace(summary_path("t"), files.read(summary_path("s")))
    assert read_history(files, "t") == History.of(read_journal(files, "t"))


def test_a_store_that_cannot_be_written_is_read_all_the_same(files, monkeypatch):
    files.replace(FIRST, lines(0, 1, 5, 6))

    def refuse(path: str, content: bytes) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(files, "replace", refuse)
    assert read_history(files, "s") == by_lines(files)
