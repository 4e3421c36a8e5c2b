"""A store in a folder that every worker sees: a disk, or a network file system with atomic hard links.

Layout below the root:

    blobs/ab/<sha256>        file contents, named by their digest
    manifests/ab/<key>.json  one per finished task; it appears last, in one step, and never changes
    sweeps/<name>.json       what each sweep asked for
    journal/<sweep>/*.jsonl  attempts, by driver
    logs/<key>/*.log         logs of failed attempts

Knows nothing of what the artifacts mean.
"""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from jobs.artifact import Commit, CorruptArtifactError, FileEntry, Manifest, MissingArtifactError
from jobs.identity import Json


class LocalStore:
    """See `jobs.artifact.Store` for the contract.

    Args:
        root: The folder; made when something is first written.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._uri = str(self.root)
        self._made: set[str] = set()

    @property
    def uri(self) -> str:
        """The folder's path."""
        return self._uri

    def has(self, key: str) -> bool:
        """Whether an artifact is committed under this key."""
        return os.path.exists(self._manifest_path(key))

    def present(self, keys: Iterable[str]) -> set[str]:
        """Those of `keys` that are committed; lists each shard once."""
        committed: dict[str, set[str]] = {}
        found = set()
        for key in keys:
            shard = key[:2]
            if shard not in committed:
                folder = self.root / "manifests" / shard
                committed[shard] = set(os.listdir(folder)) if folder.is_dir() else set()
            if f"{key}.json" in committed[shard]:
                found.add(key)
        return found

    def manifest(self, key: str) -> Manifest:
        """The manifest of a committed artifact. Raises as the contract says."""
        try:
            text = Path(self._manifest_path(key)).read_bytes()
        except FileNotFoundError:
            raise MissingArtifactError(f"{self.uri}: no artifact {key}") from None
        try:
            return Manifest.from_json(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptArtifactError(f"{self._manifest_path(key)}: not a manifest ({error})") from None

    def read(self, key: str, name: str) -> bytes:
        """One file of a committed artifact, its digest checked. Raises as the contract says."""
        files = self.manifest(key).files
        if name not in files:
            raise MissingArtifactError(f"{self.uri}: artifact {key} has no file '{name}'; it has {sorted(files)}")
        path = self._blob_path(files[name].sha256)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise CorruptArtifactError(f"{path}: missing; artifact {key} names it as '{name}'") from None
        if hashlib.sha256(content).hexdigest() != files[name].sha256:
            raise CorruptArtifactError(f"{path}: its content has changed; artifact {key} names it as '{name}'")
        return content

    def commit(self, manifest: Manifest, files: Mapping[str, bytes]) -> Commit:
        """Publish an artifact: blobs first, then the manifest in one step (`link` fails if the name exists)."""
        entries = {}
        for name, content in files.items():
            digest = hashlib.sha256(content).hexdigest()
            entries[name] = FileEntry(sha256=digest, size_bytes=len(content))
            blob = self._blob_path(digest)
            if not blob.exists() or blob.stat().st_size != len(content):
                self._publish(blob, content, replace_existing=True)
        manifest = replace(manifest, files=entries)
        text = json.dumps(manifest.to_json(), sort_keys=True, allow_nan=False).encode()
        if self._publish(self._manifest_path(manifest.key), text, replace_existing=False):
            return Commit.FIRST
        first = self.manifest(manifest.key)
        return Commit.REPEATED if first.same_result(Manifest.from_json(json.loads(text))) else Commit.DIFFERENT

    def write_log(self, key: str, text: str) -> str:
        """Keep the log of one attempt; returns its path."""
        path = self.root / "logs" / key / f"{uuid.uuid4().hex[:8]}.log"
        self._publish(path, text.encode(), replace_existing=False)
        return str(path)

    def write_sweep(self, name: str, record: Json) -> None:
        """Keep what a sweep asked for; a later run of the same sweep replaces it."""
        self._publish(self.root / "sweeps" / f"{name}.json", json.dumps(record).encode(), replace_existing=True)

    def read_sweep(self, name: str) -> Json:
        """What `write_sweep` kept.

        Raises:
            MissingArtifactError: No sweep of this name was run with this store.
        """
        try:
            return json.loads((self.root / "sweeps" / f"{name}.json").read_bytes())
        except FileNotFoundError:
            known = ", ".join(self.sweeps()) or "none"
            raise MissingArtifactError(f"{self.uri}: no sweep '{name}'; sweeps here: {known}") from None

    def sweeps(self) -> list[str]:
        """Names of the sweeps that were run with this store."""
        return sorted(path.stem for path in (self.root / "sweeps").glob("*.json"))

    def find(self, prefix: str) -> list[str]:
        """Committed keys that begin with `prefix` (two characters or more)."""
        return sorted(path.stem for path in (self.root / "manifests" / prefix[:2]).glob(f"{prefix}*.json"))

    def _manifest_path(self, key: str) -> str:
        # Joined as text: this runs three times per task, and pathlib would be half of what an empty task costs.
        return f"{self._uri}/manifests/{key[:2]}/{key}.json"

    def _blob_path(self, digest: str) -> Path:
        return self.root / "blobs" / digest[:2] / digest

    def _publish(self, path: str | Path, content: bytes, *, replace_existing: bool) -> bool:
        """Make a file appear whole under its name, or not at all; False if the name was taken."""
        folder, name = os.path.split(path)
        if folder not in self._made:
            os.makedirs(folder, exist_ok=True)
            self._made.add(folder)
        temporary = f"{folder}/.{name}.{uuid.uuid4().hex}"
        try:
            with open(temporary, "xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            if replace_existing:
                os.replace(temporary, path)
                return True
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        return True
