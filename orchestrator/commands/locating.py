"""Resolves command-line arguments: sweeps by name or file, tasks by a prefix of their key."""

from collections.abc import Iterable, Iterator

from jobs.artifact import MissingArtifactError
from jobs.errors import BadInputError
from jobs.load import load_sweep
from orchestrator.results import SweepRecord
from orchestrator.results.records import read_record
from orchestrator.status import PastAttempt, past_attempts, related_keys
from orchestrator.store import ArtifactStore, open_store


def find_sweep(name: str, storage: str) -> tuple[str, ArtifactStore]:
    """A sweep's name and its store.

    Args:
        name: The sweep's name, or its file, which also names the store.
        storage: The store, for a sweep given by name.

    Raises:
        BadInputError: The file or the storage cannot be used.
    """
    if name.endswith((".yaml", ".yml")):
        spec = load_sweep(name)
        name, storage = spec.name, spec.storage
    return name, open_store(storage)


def find_record(name: str, storage: str) -> tuple[SweepRecord, ArtifactStore]:
    """A sweep's record and its store. See `find_sweep`.

    Raises:
        BadInputError: No such sweep was run with this store.
        UnreadableRecordError: Its record is damaged.
    """
    name, store = find_sweep(name, storage)
    try:
        return read_record(store, name), store
    except MissingArtifactError as error:
        raise BadInputError(str(error)) from None


def find_attempts(prefix: str, store: ArtifactStore) -> Iterator[PastAttempt]:
    """The attempts in all journals of a store that concern tasks whose keys have this prefix."""
    for sweep in store.sweeps():
        for attempt in past_attempts(sweep, store.read_journal(sweep, ('"start"', prefix))):
            if any(key.startswith(prefix) for key in related_keys(attempt)):
                yield attempt


def resolve_key(prefix: str, keys: Iterable[str], *, unknown: str) -> str:
    """The only key that begins with `prefix`.

    Args:
        prefix: At least two characters.
        keys: The candidates.
        unknown: Error message where no key matches.

    Raises:
        BadInputError: The prefix is too short, unknown or ambiguous.
    """
    if len(prefix) < 2:
        raise BadInputError(f"'{prefix}' is too short; give at least two characters of a key")
    found = sorted({key for key in keys if key.startswith(prefix)})
    if not found:
        raise BadInputError(unknown)
    if len(found) > 1:
        shown = ", ".join(found[:5])
        raise BadInputError(f"{prefix} is a prefix of {len(found)} keys; give more characters: {shown}")
    return found[0]
