"""Reads the records of sweeps from a store."""

from collections.abc import Iterable

from jobs.secrets import masked_record
from orchestrator.results.curves import SweepRecord
from orchestrator.store import ArtifactStore
from orchestrator.store.records import UnreadableRecordError


def read_record(store: ArtifactStore, name: str) -> SweepRecord:
    """The record of a sweep.

    Raises:
        MissingArtifactError: The store has no sweep of this name.
        UnreadableRecordError: The record is damaged, or of a later version.
    """
    value = store.read_sweep(name)
    try:
        return SweepRecord.from_json({**value, "spec": masked_record(value["spec"])})  # versions before masked none
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # one without a digest
        raise store.unreadable_record(name, f"{type(error).__name__}: {error}") from None


def read_records(store: ArtifactStore, names: Iterable[str]) -> tuple[list[SweepRecord], dict[str, str]]:
    """The records of sweeps that can be read, and what is wrong with each of the others, by name."""
    records, problems = [], {}
    for name in names:
        try:
            records.append(read_record(store, name))
        except UnreadableRecordError as error:
            problems[name] = str(error)
    return records, problems
