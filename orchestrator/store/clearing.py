"""Garbage collection: lists and deletes the files of a store that a retention policy does not keep.

Which artifacts are needed is computed in `orchestrator.results.reachability`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.store.artifacts import ArtifactStore, blob_digest
from orchestrator.store.catalog import Catalog
from orchestrator.store.files import Entry, map_files
from orchestrator.store.summaries import SUMMARIES
from orchestrator.store.terms import LEASES

_SAME_TIME_S = 2.0
"""A listing and a request for one object may round the same modification time differently."""


class Kind(StrEnum):
    """Kinds of deletable files, in the order of deletion: references before what they refer to."""

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
    """What a garbage collection keeps.

    Attributes:
        keys: Keys of the artifacts to keep.
        any_key: Keep every artifact.
        sweeps: The sweeps whose journals are kept.
        since_s: Files written later are kept, seconds since the epoch: they may belong to a task that has just ended.
    """

    keys: frozenset[str]
    any_key: bool
    sweeps: frozenset[str]
    since_s: float

    def keeps(self, key: str) -> bool:
        """Whether this artifact is kept."""
        return self.any_key or key in self.keys


def clearable(store: ArtifactStore, catalog: Catalog, policy: RetentionPolicy) -> dict[Kind, list[Entry]]:
    """The files that can be deleted, by kind.

    Args:
        store: The store.
        catalog: All committed artifacts.
        policy: What to keep.
    """
    files = store.files
    found: dict[Kind, list[Entry]] = {kind: [] for kind in Kind}

    def add(kind: Kind, folder: str, may_go: Callable[[Entry], bool]) -> None:
        for entry in files.walk(folder):
            if entry.modified_s < policy.since_s and (entry.temporary or may_go(entry)):
                found[Kind.TEMPORARY if entry.temporary else kind].append(entry)

    add(Kind.ARTIFACT, "manifests", lambda entry: not policy.keeps(_key(entry)))
    gone = {_key(entry) for entry in found[Kind.ARTIFACT]}
    named = {digest for key in catalog if key not in gone for digest in catalog.digests(key)}
    add(Kind.BLOB, "blobs", lambda entry: blob_digest(entry.path) not in named)
    add(Kind.CHECKPOINT, "checkpoints", lambda entry: _key(entry) in catalog or not policy.keeps(_key(entry)))
    add(Kind.LOG, "logs", lambda entry: not policy.keeps(entry.path.split("/")[1]))
    add(Kind.QUARANTINED, "quarantine", lambda entry: True)
    add(Kind.JOURNAL, "journal", lambda entry: entry.path.split("/")[1] not in policy.sweeps)
    add(Kind.JOURNAL, SUMMARIES, lambda entry: _key(entry) not in policy.sweeps)
    add(Kind.TEMPORARY, "sweeps", lambda entry: False)
    add(Kind.TEMPORARY, "claims", lambda entry: False)  # drivers delete what they need no more
    newest = {sweep: max(files.names(f"{LEASES}/{sweep}"), default="")[:8] for sweep in files.names(LEASES)}
    add(Kind.LEASE, LEASES, lambda entry: entry.path.split("/")[2][:8] < newest[entry.path.split("/")[1]])
    return found


def clear(store: ArtifactStore, found: Mapping[Kind, Iterable[Entry]]) -> None:
    """Delete the files; a blob only if it is unchanged, because a commit may have rewritten it meanwhile."""

    def remove(entry: Entry) -> None:
        now = store.files.stat(entry.path) if entry.path.startswith("blobs/") else entry
        if now is not None and now.modified_s < entry.modified_s + _SAME_TIME_S:
            store.files.delete(entry.path)

    for kind in Kind:
        for _ in map_files(store.files, remove, found[kind]):
            pass


def _key(entry: Entry) -> str:
    return entry.path.rpartition("/")[2].removesuffix(".json")
