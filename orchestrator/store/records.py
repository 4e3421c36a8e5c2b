"""The records of sweeps as bytes: versioned, and sealed by their digest. Pure.

Versions 0.1 and 0.2 of Orchard wrote a record as it is. Such a file is still read, and replaced by a sealed one when
its sweep is run; its fields lie where a sealed one has none, so no change of a character makes one look like the other.
"""

import json

from jobs.errors import OrchardError
from jobs.identity import Parsed
from orchestrator.store.seals import seal_json, unseal_json

RECORD_VERSION = 1
"""Of the format of the file."""

_UNSEALED = {"name", "spec", "curves"}


class UnreadableRecordError(OrchardError):
    """The record of a sweep is damaged, or of a later version."""


def record_bytes(record: Parsed) -> bytes:
    """The file of a record.

    Raises:
        ValueError: It contains NaN or infinity.
    """
    return seal_json({"version": RECORD_VERSION, "record": record}, sort_keys=False)


def read_record_bytes(content: bytes, name: str) -> Parsed:
    """The record in a file; the inverse of `record_bytes`.

    Args:
        content: The file's content.
        name: The sweep that it should be of.

    Raises:
        ValueError: It is damaged, of another sweep, or of a later version.
    """
    record = _unsealed(content) or _sealed(content)
    shaped = (
        isinstance(record, dict) and isinstance(record.get("spec"), dict) and isinstance(record.get("curves"), list)
    )
    if not shaped:
        raise ValueError("not the record of a sweep")
    if record.get("name") != name:
        raise ValueError(f"the record of sweep {str(record.get('name'))!r}")
    return record


def _unsealed(content: bytes) -> Parsed | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.keys() >= _UNSEALED else None


def _sealed(content: bytes) -> Parsed:
    value = unseal_json(content)
    if value.get("version") != RECORD_VERSION:
        raise ValueError(f"of version {value.get('version')}; this Orchard reads version {RECORD_VERSION}: update it")
    record: Parsed = value["record"]
    return record
