"""Verifies the integrity of a store: reads everything and checks every digest; changes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.store.artifacts import ArtifactStore, blob_path
from orchestrator.store.entries import UNREADABLE
from orchestrator.store.files import Entry, map_files
from orchestrator.store.records import UnreadableRecordError


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of a verification.

    Attributes:
        artifacts: Number of artifacts.
        blobs: Number of distinct blobs that they refer to.
        damaged: Key of each damaged artifact -> what is wrong with it.
        unreferenced: Blobs that no artifact refers to: leftovers of dead writers, or of damaged manifests.
        unreadable_records: Sweep -> what is wrong with its record, where it cannot be read.
        unreadable_entries: Sweep -> number of lines of its journal that cannot be read, where there are any.
    """

    artifacts: int
    blobs: int
    damaged: Mapping[str, str]
    unreferenced: tuple[Entry, ...]
    unreadable_records: Mapping[str, str]
    unreadable_entries: Mapping[str, int]


def verify(store: ArtifactStore) -> Verification:
    """Check the digest of every manifest and of every blob that one refers to; read every record and journal."""
    stored = [
        entry for entry in store.files.walk("blobs") if not entry.temporary
    ]  # before the manifests: none is young
    keys = list(store.keys())
    manifests, unreadable = store.manifests(keys)
    digests = sorted({file.sha256 for manifest in manifests.values() for file in manifest.files.values()})
    whole = map_files(store.files, lambda digest: store.read_blob(digest) is not None, digests)
    bad = {digest for digest, good in zip(digests, whole, strict=True) if not good}
    damaged = dict.fromkeys(sorted(unreadable), "its manifest is damaged")
    for key, manifest in sorted(manifests.items()):
        names = sorted(name for name, file in manifest.files.items() if file.sha256 in bad)
        if names:
            damaged[key] = f"{manifest.stage} {manifest.label}: missing or changed: {', '.join(names)}"
    named = {blob_path(digest) for digest in digests}
    return Verification(
        artifacts=len(keys),
        blobs=len(digests),
        damaged=damaged,
        unreferenced=tuple(entry for entry in stored if entry.path not in named),
        unreadable_records=dict(_unreadable_records(store)),
        unreadable_entries={sweep: count for sweep, count in _unreadable_entries(store) if count},
    )


def _unreadable_records(store: ArtifactStore) -> Iterator[tuple[str, str]]:
    for sweep in store.sweeps():
        try:
            store.read_sweep(sweep)
        except UnreadableRecordError as error:
            yield sweep, str(error)


def _unreadable_entries(store: ArtifactStore) -> Iterator[tuple[str, int]]:
    for sweep in sorted(store.files.names("journal")):
        yield sweep, sum(entry is UNREADABLE for entry in store.read_journal(sweep))
