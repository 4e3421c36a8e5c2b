"""Summaries of long journals: how far it was read, and what it amounted to until there; sealed by their digest.

A summary follows from the lines that it names, so whoever has read them may write it, and the last one to do so is as
right as the first. No line is deleted for it: where it is damaged, missing, of another version, or of another journal
than is there, the lines are read instead.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from jobs.errors import OrchardError
from jobs.identity import Parsed
from orchestrator.store.files import Files
from orchestrator.store.seals import seal_json, unseal_json

SUMMARY_VERSION = 1
"""Of the file and of what entries amount to; raised when either changes."""

SUMMARIES = "summaries"
"""The folder of all summaries."""


class UnreadableSummaryError(OrchardError):
    """The summary of a journal is damaged, of another sweep, or of another version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A journal so far.

    Attributes:
        read: Bytes that were read of each file of the journal, see `store.journal.JournalReader`.
        history: What they amounted to, as JSON; None where nothing was read.
    """

    read: Mapping[str, int] = field(default_factory=dict)
    history: Parsed | None = None


def summary_path(sweep: str) -> str:
    """The path of a sweep's summary."""
    return f"{SUMMARIES}/{sweep}.json"


def read_summary(files: Files, sweep: str) -> Summary:
    """The summary of a sweep's journal; an empty one where there is none.

    Raises:
        UnreadableSummaryError: It cannot be used.
    """
    path = summary_path(sweep)
    try:
        value = unseal_json(files.read(path))
        if (value["version"], value["sweep"]) != (SUMMARY_VERSION, sweep):
            raise ValueError(f"version {value['version']}, of sweep {value['sweep']!r}")
        return Summary(read=value["read"], history=value["history"])
    except FileNotFoundError:
        return Summary()
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableSummaryError(
            f"{files.address(path)}: the summary of a journal cannot be used ({error}); the journal is read instead"
        ) from None


def write_summary(files: Files, sweep: str, summary: Summary) -> None:
    """Replace the summary of a sweep's journal; where the store cannot be written, the earlier one stays."""
    value = {"version": SUMMARY_VERSION, "sweep": sweep, "read": summary.read, "history": summary.history}
    with suppress(OSError, OrchardError):
        files.replace(summary_path(sweep), seal_json(value, sort_keys=False))
