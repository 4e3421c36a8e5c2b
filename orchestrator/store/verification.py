"""Is everything in a store what was committed? Reads all of it; changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.store.artifacts import ArtifactStore, blob_path
from orchestrator.store.files import Entry, each


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found.

    Attributes:
        artifacts: How many artifacts there are.
        blobs: How many different contents they name.
        damaged: Key of each artifact that is not whole -> what is wrong with it.
        unreferenced: Blobs that no artifact names: of writers that died, or of damaged manifests.
    """

    artifacts: int
    blobs: int
    damaged: Mapping[str, str]
    unreferenced: tuple[Entry, ...]


def verify(store: ArtifactStore) -> Verification:
    """Check the digest of every manifest and of every blob that one names."""
    stored = [
        entry for entry in store.files.walk("blobs") if not entry.temporary
    ]  # before the manifests: none is young
    keys = list(store.keys())
    manifests, unreadable = store.manifests(keys)
    digests = sorted({file.sha256 for manifest in manifests.values() for file in manifest.files.values()})
    whole = each(store.files, lambda digest: store.read_blob(digest) is not None, digests)
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
    )
