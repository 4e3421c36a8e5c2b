"""Finds what a command's arguments name: a sweep by its name or its file, a task by the beginning of its key."""

from collections.abc import Iterable, Iterator

from jobs.errors import BadInputError
from jobs.load import load_sweep
from orchestrator.results import SweepRecord
from orchestrator.status import PastAttempt, keys_told_of, past_attempts
from orchestrator.store import ArtifactStore, open_store


def find_sweep(name: str, storage: str) -> tuple[str, ArtifactStore]:
    """A sweep's name and its store.

    Args:
        name: Its name, or its file, which also says where its store is.
        storage: The store of a sweep that is given by name.

    Raises:
        BadInputError: The file or the storage cannot be used.
    """
    if name.endswith((".yaml", ".yml")):
        spec = load_sweep(name)
        name, storage = spec.name, spec.storage
    return name, open_store(storage)


def find_record(name: str, storage: str) -> tuple[SweepRecord, ArtifactStore]:
    """What a sweep asked for, and its store. See `find_sweep`.

    Raises:
        MissingArtifactError: No such sweep was run with this store.
    """
    name, store = find_sweep(name, storage)
    return SweepRecord.from_json(store.read_sweep(name)), store


def find_attempts(prefix: str, store: ArtifactStore) -> Iterator[PastAttempt]:
    """What the journals of all sweeps of a store say of tasks whose keys begin like this."""
    for sweep in store.sweeps():
        for attempt in past_attempts(sweep, store.read_journal(sweep)):
            if any(key.startswith(prefix) for key in keys_told_of(attempt)):
                yield attempt


def only_key(prefix: str, keys: Iterable[str], *, unknown: str) -> str:
    """The one key that begins with `prefix`.

    Args:
        prefix: Two characters or more.
        keys: Those to choose from.
        unknown: The error where there is none.

    Raises:
        BadInputError: It is too short, or the beginning of no key or of several.
    """
    if len(prefix) < 2:
        raise BadInputError(f"'{prefix}' is too short; give at least two characters of a key")
    found = sorted({key for key in keys if key.startswith(prefix)})
    if not found:
        raise BadInputError(unknown)
    if len(found) > 1:
        shown = ", ".join(found[:5])
        raise BadInputError(f"{prefix} is the beginning of {len(found)} keys; give more characters: {shown}")
    return found[0]
