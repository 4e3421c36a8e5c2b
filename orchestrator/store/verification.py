"""Verifies the integrity of a store: reads everything and checks every digest; changes nothing.

Of each artifact little more than the digests of its files is held: about 300 bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from orchestrator.store.artifacts import ArtifactStore, blob_digest
from orchestrator.store.entries import UNREADABLE
from orchestrator.store.files import map_files
from orchestrator.store.records import UnreadableRecordError
from orchestrator.store.summaries import UnreadableSummaryError, read_summary

_AT_ONCE = 1024
"""Artifacts whose manifests are held at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of a verification.

    Attributes:
        artifacts: Number of artifacts.
        blobs: Number of distinct blobs that they refer to.
        damaged: Key of each damaged artifact -> what is wrong with it.
        unreferenced: Number of blobs that no artifact refers to: leftovers of dead writers, or of damaged manifests.
        unreferenced_bytes: Their size.
        unreadable_records: Sweep -> what is wrong with its record, where it cannot be read.
        unreadable_summaries: Sweep -> what is wrong with the summary of its journal, where it cannot be used.
        unreadable_entries: Sweep -> number of lines of its journal that cannot be read, where there are any.
    """

    artifacts: int
    blobs: int
    damaged: Mapping[str, str]
    unreferenced: int
    unreferenced_bytes: int
    unreadable_records: Mapping[str, str]
    unreadable_summaries: Mapping[str, str]
    unreadable_entries: Mapping[str, int]


def verify(store: ArtifactStore) -> Verification:
    """Check the digest of every manifest and of every blob that one refers to; read every record and journal."""
    unreferenced = {
        blob_digest(entry.path): entry.size_bytes for entry in store.files.walk("blobs") if not entry.temporary
    }  # before the manifests: none is young
    artifacts = _Artifacts(store)
    keys = store.keys()
    while batch := list(islice(keys, _AT_ONCE)):
        artifacts.check(batch)
    for name in artifacts.checked:
        unreferenced.pop(name, None)
    return Verification(
        artifacts=artifacts.count,
        blobs=len(artifacts.checked),
        damaged=dict(sorted(artifacts.damaged.items())),
        unreferenced=len(unreferenced),
        unreferenced_bytes=sum(unreferenced.values()),
        unreadable_records=dict(_unreadable_records(store)),
        unreadable_summaries=dict(_unreadable_summaries(store)),
        unreadable_entries={sweep: count for sweep, count in _unreadable_entries(store) if count},
    )


class _Artifacts:
    """Checks artifacts, every blob once.

    Attributes:
        count: Number of artifacts so far.
        checked: Digests of the blobs so far.
        damaged: See `Verification`.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._bad: set[bytes] = set()
        self.count = 0
        self.checked: set[bytes] = set()
        self.damaged: dict[str, str] = {}

    def check(self, keys: list[str]) -> None:
        """Check these artifacts, and of their blobs those that were not checked before."""
        self.count += len(keys)
        manifests, unreadable = self._store.manifests(keys)
        digests = {file.sha256 for manifest in manifests.values() for file in manifest.files.values()}
        new = sorted(digest for digest in digests if bytes.fromhex(digest) not in self.checked)
        whole = map_files(self._store.files, lambda digest: self._store.read_blob(digest) is not None, new)
        for digest, good in zip(new, whole, strict=True):
            self.checked.add(bytes.fromhex(digest))
            if not good:
                self._bad.add(bytes.fromhex(digest))
        self.damaged |= dict.fromkeys(unreadable, "its manifest is damaged")
        for key, manifest in manifests.items():
            names = sorted(name for name, file in manifest.files.items() if bytes.fromhex(file.sha256) in self._bad)
            if names:
                self.damaged[key] = f"{manifest.stage} {manifest.label}: missing or changed: {', '.join(names)}"


def _unreadable_records(store: ArtifactStore) -> Iterator[tuple[str, str]]:
    for sweep in store.sweeps():
        try:
            store.read_sweep(sweep)
        except UnreadableRecordError as error:
            yield sweep, str(error)


def _unreadable_entries(store: ArtifactStore) -> Iterator[tuple[str, int]]:
    for sweep in sorted(store.files.names("journal")):
        yield sweep, sum(entry is UNREADABLE for entry in store.read_journal(sweep))


def _unreadable_summaries(store: ArtifactStore) -> Iterator[tuple[str, str]]:
    for sweep in sorted(store.files.names("journal")):
        try:
            read_summary(store.files, sweep)
        except UnreadableSummaryError as error:
            yield sweep, str(error)
