"""Reads what a sweep's journal amounts to, with the help of its summary."""

from orchestrator.status.history import History
from orchestrator.store.entries import read_entry
from orchestrator.store.files import Files
from orchestrator.store.journal import JournalReader
from orchestrator.store.summaries import Summary, UnreadableSummaryError, read_summary, write_summary

LINES_BEYOND = 10_000
"""Whoever has read so many lines that no summary holds writes one. Reading them takes 0.1 to 0.2 s."""


def read_history(files: Files, sweep: str) -> History:
    """What the journal of a sweep amounts to."""
    reader, history = _summarised(files, sweep)
    beyond = 0
    for line in reader.lines():
        history.take(read_entry(line))
        beyond += 1
    if beyond >= LINES_BEYOND:
        write_summary(files, sweep, Summary(read=reader.read, history=history.to_json()))
    if reader.torn:
        history.take(read_entry(reader.torn))
    return history


def _summarised(files: Files, sweep: str) -> tuple[JournalReader, History]:
    """A reader of what the summary lacks, and what the summary holds."""
    try:
        summary = read_summary(files, sweep)
        if summary.history is not None:
            return JournalReader(files, sweep, summary.read), History.from_json(summary.history)
    except (UnreadableSummaryError, ValueError):
        pass  # it is written anew
    return JournalReader(files, sweep), History()
