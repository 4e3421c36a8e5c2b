"""What garbage collection has to know of all artifacts: their inputs and the digests of their files.

About 400 bytes for each artifact, where a manifest takes several thousand.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jobs.artifact import Manifest, MissingArtifactError
from orchestrator.store.artifacts import ArtifactStore

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    stage: str
    inputs: tuple[str, ...]
    digests: bytes


class Catalog:
    """The committed artifacts of a store, as they were when it was read.

    Args:
        store: The store; it is read whole.

    Attributes:
        damaged: Number of manifests that cannot be read; nothing else is known of these.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._read: Callable[[str], Manifest] = store.manifest
        self._entries: dict[str, _Entry] = {}
        self.damaged = 0
        shared: dict[str, str] = {}
        for key, manifest in store.each_manifest(store.keys()):
            if manifest is None:
                self.damaged += 1
                continue
            self._entries[shared.setdefault(key, key)] = _Entry(
                stage=shared.setdefault(manifest.stage, manifest.stage),
                inputs=tuple(shared.setdefault(source, source) for source in manifest.inputs.values()),
                digests=b"".join(bytes.fromhex(file.sha256) for file in manifest.files.values()),
            )

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def stage(self, key: str) -> str:
        """The stage of an artifact that is there."""
        return self._entries[key].stage

    def inputs(self, key: str) -> tuple[str, ...]:
        """Keys of the artifacts that one was made of; none where it is not there."""
        return self._entries[key].inputs if key in self._entries else ()

    def digests(self, key: str) -> Iterator[bytes]:
        """The digests of the files of an artifact that is there."""
        joined = self._entries[key].digests
        return (joined[start : start + _DIGEST_BYTES] for start in range(0, len(joined), _DIGEST_BYTES))

    def manifest(self, key: str) -> Manifest | None:
        """The manifest of an artifact, read again; None where it is not there.

        Raises:
            CorruptArtifactError: It has been damaged since.
        """
        try:
            return self._read(key) if key in self._entries else None
        except MissingArtifactError:
            return None
