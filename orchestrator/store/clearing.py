"""What of a store can go, given what must stay. What is young always stays: it may belong to a task that just ended.

Knows nothing of sweeps and plans; `orchestrator.results.reachability` says what is needed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from jobs.artifact import Manifest
from orchestrator.store.artifacts import ArtifactStore, blob_path
from orchestrator.store.files import Entry, each
from orchestrator.store.terms import LEASES

_SAME_TIME_S = 2.0
"""Listing and asking for one object may round the same time differently."""


class Kind(StrEnum):
    """What can be removed, in the order in which it is removed: what is named goes after what names it."""

    ARTIFACT = "artifacts"
    BLOB = "blobs"
    CHECKPOINT = "checkpoints"
    LOG = "logs"
    QUARANTINED = "quarantined manifests"
    JOURNAL = "journals"
    LEASE = "lease files"
    TEMPORARY = "temporary files"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """What must stay.

    Attributes:
        keys: Artifacts that are needed.
        any_key: Every artifact may be needed.
        sweeps: Whose journals stay.
        since_s: What was written later stays, seconds since the epoch.
    """

    keys: frozenset[str]
    any_key: bool
    sweeps: frozenset[str]
    since_s: float

    def key(self, key: str) -> bool:
        """Whether this artifact stays."""
        return self.any_key or key in self.keys


def clearable(
    store: ArtifactStore, manifests: Mapping[str, Manifest], stays: RetentionPolicy
) -> dict[Kind, list[Entry]]:
    """What can go, by kind.

    Args:
        store: Where.
        manifests: Of all artifacts that are committed.
        stays: What must stay.
    """
    files = store.files
    found: dict[Kind, list[Entry]] = {kind: [] for kind in Kind}

    def add(kind: Kind, folder: str, may_go: Callable[[Entry], bool]) -> None:
        for entry in files.walk(folder):
            if entry.modified_s < stays.since_s and (entry.temporary or may_go(entry)):
                found[Kind.TEMPORARY if entry.temporary else kind].append(entry)

    add(Kind.ARTIFACT, "manifests", lambda entry: not stays.key(_key(entry)))
    gone = {_key(entry) for entry in found[Kind.ARTIFACT]}
    named = {
        blob_path(file.sha256)
        for key, manifest in manifests.items()
        if key not in gone
        for file in manifest.files.values()
    }
    add(Kind.BLOB, "blobs", lambda entry: entry.path not in named)
    add(Kind.CHECKPOINT, "checkpoints", lambda entry: _key(entry) in manifests or not stays.key(_key(entry)))
    add(Kind.LOG, "logs", lambda entry: not stays.key(entry.path.split("/")[1]))
    add(Kind.QUARANTINED, "quarantine", lambda entry: True)
    add(Kind.JOURNAL, "journal", lambda entry: entry.path.split("/")[1] not in stays.sweeps)
    add(Kind.TEMPORARY, "sweeps", lambda entry: False)
    newest = {sweep: max(files.names(f"{LEASES}/{sweep}"), default="")[:8] for sweep in files.names(LEASES)}
    add(Kind.LEASE, LEASES, lambda entry: entry.path.split("/")[2][:8] < newest[entry.path.split("/")[1]])
    return found


def clear(store: ArtifactStore, found: Mapping[Kind, Iterable[Entry]]) -> None:
    """Remove what was found; a blob only if it is still as old as it was, for a commit may have taken it up again."""

    def remove(entry: Entry) -> None:
        now = store.files.stat(entry.path) if entry.path.startswith("blobs/") else entry
        if now is not None and now.modified_s < entry.modified_s + _SAME_TIME_S:
            store.files.delete(entry.path)

    for kind in Kind:
        for _ in each(store.files, remove, found[kind]):
            pass


def _key(entry: Entry) -> str:
    return entry.path.rpartition("/")[2].removesuffix(".json")
