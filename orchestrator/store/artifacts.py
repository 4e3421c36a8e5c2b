"""The artifact store, on any implementation of `Files`.

Layout below the root:

    blobs/ab/<sha256>            file contents, named by their digest
    manifests/ab/<key>.json      one per finished task; written last and atomically, ends with its own digest
    quarantine/<key>.json        manifests of damaged artifacts, moved away so that their tasks run again
    checkpoints/ab/<key>         checkpoints of long tasks
    logs/<key>/*.log             logs of attempts
    quarantine/sweeps/           damaged records of sweeps, moved away as the next run wrote new ones
    sweeps/<name>.json           records of sweeps; each ends with its own digest (`records`)
    journal/<sweep>/*.jsonl      attempts, by driver (`journal`)
    summaries/<sweep>.json       what a long journal amounts to so far (`summaries`)
    leases/<sweep>/*             lease terms of drivers (`terms`, `lease`)
    claims/*                     which driver computes which keys (`claim_register`)
    identity                     a random name that the store keeps wherever it is moved
"""

import hashlib
import logging
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from jobs.artifact import Commit, CorruptArtifactError, FileEntry, Manifest, MissingArtifactError
from jobs.errors import nearest
from jobs.identity import Parsed
from jobs.secrets import mask
from orchestrator.store.cache import BlobCache
from orchestrator.store.files import Files, map_files
from orchestrator.store.journal import Journal, open_journal, read_journal
from orchestrator.store.records import UnreadableRecordError, read_record_bytes, record_bytes
from orchestrator.store.seals import seal, seal_json, unseal, unseal_json

FRESH_S = 1800.0
"""A commit rewrites an existing blob that is older than this, because `orchard gc` keeps what is young."""

_FEW = 256
_IDENTITY = "identity"
_log = logging.getLogger("orchard")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLog:
    """The log of one attempt; `written_s` is in seconds since the epoch."""

    address: str
    written_s: float
    text: str


class ArtifactStore:
    """See `jobs.artifact.Store` for the contract.

    Args:
        files: The files of the store.
        cache: Local copies of blobs, for remote files.
    """

    def __init__(self, files: Files, cache: BlobCache | None = None) -> None:
        self.files = files
        self._cache = cache

    @property
    def uri(self) -> str:
        """The URI of its files."""
        return self.files.uri

    def identity(self) -> str | None:
        """What tells the store from others, also after it was moved; None where nothing has needed it yet."""
        with suppress(FileNotFoundError):
            return self.files.read(_IDENTITY).decode()
        return None

    def make_identity(self) -> str:
        """The same, made where there is none; the first writer's stays."""
        if self.identity() is None:
            self.files.create(_IDENTITY, uuid.uuid4().hex.encode())
        return self.files.read(_IDENTITY).decode()

    def has(self, key: str) -> bool:
        """Whether an artifact is committed under this key."""
        return self.files.exists(manifest_path(key))

    def present(self, keys: Iterable[str]) -> set[str]:
        """Those of `keys` that are committed; lists each shard once where there are many."""
        wanted = set(keys)
        if self.files.is_remote and len(wanted) <= _FEW:
            few = list(wanted)
            return {key for key, exists in zip(few, map_files(self.files, self.has, few), strict=True) if exists}
        shards = {key[:2] for key in wanted}
        listed = map_files(self.files, lambda shard: self.files.names(f"manifests/{shard}"), shards)
        return wanted.intersection(name.removesuffix(".json") for names in listed for name in names)

    def keys(self) -> Iterator[str]:
        """All committed keys."""
        for entry in self.files.walk("manifests"):
            if not entry.temporary:
                yield entry.path.rpartition("/")[2].removesuffix(".json")

    def manifest(self, key: str) -> Manifest:
        """The manifest of a committed artifact. Raises as the contract says."""
        sealed = self._sealed(key)
        if sealed is None:
            raise MissingArtifactError(f"{self.uri}: no artifact {key}")
        return self._unsealed(key, sealed)

    def _sealed(self, key: str) -> bytes | None:
        """The file of a manifest; None where there is none."""
        try:
            return self.files.read(manifest_path(key))
        except FileNotFoundError:
            return None

    def _unsealed(self, key: str, sealed: bytes) -> Manifest:
        path = manifest_path(key)
        try:
            manifest = Manifest.from_json(unseal_json(sealed))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptArtifactError(f"{self.files.address(path)}: not a manifest ({error})", key=key) from None
        if manifest.key != key:
            raise CorruptArtifactError(f"{self.files.address(path)}: the manifest of {manifest.key}", key=key)
        return manifest

    def manifests(self, keys: Iterable[str]) -> tuple[dict[str, Manifest], set[str]]:
        """The manifests of those of `keys` that are committed, and the keys whose manifest is damaged."""
        intact: dict[str, Manifest] = {}
        damaged: set[str] = set()
        for key, manifest in self.each_manifest(keys):
            if manifest is None:
                damaged.add(key)
            else:
                intact[key] = manifest
        return intact, damaged

    def each_manifest(self, keys: Iterable[str]) -> Iterator[tuple[str, Manifest | None]]:
        """The manifests of those of `keys` that are committed, one at a time; None for one that is damaged."""

        def read(key: str) -> tuple[str, Manifest | None] | None:
            try:
                return key, self.manifest(key)
            except MissingArtifactError:
                return None
            except CorruptArtifactError:
                return key, None

        return (found for found in map_files(self.files, read, keys) if found is not None)

    def read(self, key: str, name: str) -> bytes:
        """One file of a committed artifact, its digest checked. Raises as the contract says."""
        files = self.manifest(key).files
        if name not in files:
            raise MissingArtifactError(f"{self.uri}: artifact {key} has no file '{name}'; it has {sorted(files)}")
        digest = files[name].sha256
        content = self._cache.get(digest) if self._cache else None
        if content is not None:
            return content
        content = self.read_blob(digest)
        if content is None:
            address = self.files.address(blob_path(digest))
            raise CorruptArtifactError(f"{address}: missing or changed; artifact {key} names it as '{name}'", key=key)
        if self._cache:
            self._cache.put(digest, content)
        return content

    def read_blob(self, digest: str) -> bytes | None:
        """The content with this digest; None where it is missing or damaged."""
        try:
            content = self.files.read(blob_path(digest))
        except FileNotFoundError:
            return None
        return content if hashlib.sha256(content).hexdigest() == digest else None

    def commit(self, manifest: Manifest, files: Mapping[str, bytes]) -> Commit:
        """Publish an artifact: blobs first, then the manifest, atomically."""
        entries = {}
        for name, content in files.items():
            digest = hashlib.sha256(content).hexdigest()
            entries[name] = FileEntry(sha256=digest, size_bytes=len(content))
            self._keep_blob(digest, content)
        sealed = seal_json(replace(manifest, files=entries).to_json())
        if self.files.create(manifest_path(manifest.key), sealed):
            return Commit.FIRST
        first = self.manifest(manifest.key)
        return Commit.REPEATED if first.same_result(Manifest.from_json(unseal_json(sealed))) else Commit.DIFFERENT

    def damaged_files(self, manifest: Manifest) -> list[str]:
        """Names of the files of an artifact that are missing or damaged; reads all of them."""
        return [name for name, entry in manifest.files.items() if self.read_blob(entry.sha256) is None]

    def quarantine(self, key: str) -> None:
        """Move a damaged artifact away and delete its damaged files; an intact artifact stays.

        Where the manifest cannot be read, its files are unknown; the next commit checks each of them. Another process
        may have moved it away while its files were read, and the task may have committed again: then nothing is done.
        """
        sealed = self._sealed(key)
        if sealed is None:
            return
        digests = []
        with suppress(CorruptArtifactError):
            manifest = self._unsealed(key, sealed)
            digests = [manifest.files[name].sha256 for name in self.damaged_files(manifest)]
            if not digests:
                return
        if self._sealed(key) != sealed:
            return
        for digest in digests:
            self.files.delete(blob_path(digest))
        self.files.replace(f"quarantine/{key}.json", sealed)
        self.files.delete(manifest_path(key))

    def save_checkpoint(self, key: str, content: bytes) -> None:
        """Store the checkpoint of a running task; replaces the earlier one atomically."""
        self.files.replace(checkpoint_path(key), seal(content))

    def load_checkpoint(self, key: str) -> bytes | None:
        """The last checkpoint of a task; None where there is none or it is damaged."""
        try:
            return unseal(self.files.read(checkpoint_path(key)))
        except (FileNotFoundError, ValueError):
            return None

    def checkpoint_version(self, key: str) -> tuple[float, int] | None:
        """What changes whenever the checkpoint of a task is replaced; None where there is none."""
        found = self.files.stat(checkpoint_path(key))
        return None if found is None else (found.modified_s, found.size_bytes)

    def drop_checkpoint(self, key: str) -> None:
        """Delete the checkpoint of a task, if there is one."""
        self.files.delete(checkpoint_path(key))

    def write_log(self, key: str, text: str) -> str:
        """Store the log of one attempt, secrets masked; returns its address."""
        path = f"logs/{key}/{uuid.uuid4().hex[:8]}.log"
        self.files.replace(path, mask(text).encode())
        return self.files.address(path)

    def logs(self, key: str) -> list[AttemptLog]:
        """The logs of a task's attempts, oldest first."""
        paths = [f"logs/{key}/{name}" for name in self.files.names(f"logs/{key}")]
        found = [(entry.modified_s, entry.path) for entry in map(self.files.stat, paths) if entry]
        return [
            AttemptLog(
                address=self.files.address(path),
                written_s=written_s,
                text=self.files.read(path).decode(errors="replace"),
            )
            for written_s, path in sorted(found)
        ]

    def write_sweep(self, name: str, record: Parsed) -> None:
        """Store the record of a sweep; a later run of the same sweep replaces it, and moves a damaged one away."""
        path = sweep_path(name)
        content = record_bytes(record)
        try:
            self.read_sweep(name)
        except MissingArtifactError:
            pass
        except UnreadableRecordError as error:
            _log.warning("%s", error)
            self.files.replace(f"quarantine/{path}", self.files.read(path))
        self.files.replace(path, content)

    def read_sweep(self, name: str) -> Parsed:
        """The record of a sweep.

        Raises:
            MissingArtifactError: The store has no sweep of this name.
            UnreadableRecordError: The record is damaged, or of a later version.
        """
        try:
            return read_record_bytes(self.files.read(sweep_path(name)), name)
        except FileNotFoundError:
            raise MissingArtifactError(
                f"{self.uri}: no sweep '{name}'; {nearest(name, self.sweeps())}; one of another store is found by its "
                "file (NAME.yaml) or with --storage"
            ) from None
        except ValueError as error:
            raise self.unreadable_record(name, error) from None

    def unreadable_record(self, name: str, problem: object) -> UnreadableRecordError:
        """The error that says what is wrong with the record of a sweep, and what mends it."""
        return UnreadableRecordError(
            f"{self.files.address(sweep_path(name))}: the record of sweep '{name}' cannot be read ({problem}); run its "
            "sweep file again: results are kept, and the record is written anew"
        )

    def sweeps(self) -> list[str]:
        """Names of the sweeps in this store."""
        return sorted(name.removesuffix(".json") for name in self.files.names("sweeps"))

    def find(self, prefix: str) -> list[str]:
        """Committed keys that begin with `prefix` (two characters or more)."""
        keys = (name.removesuffix(".json") for name in self.files.names(f"manifests/{prefix[:2]}"))
        return sorted(key for key in keys if key.startswith(prefix))

    def open_journal(self, sweep: str, driver: str) -> Journal:
        """Open the journal of a new driver, whose name must sort behind those before it (`new_driver_name`)."""
        return open_journal(self.files, sweep, driver)

    def read_journal(self, sweep: str, only: Sequence[str] = ()) -> Iterator[Parsed]:
        """The entries of a sweep's journal, driver by driver in the order of their start; see `store.entries`.

        With `only`, those lines alone that contain one of these texts.
        """
        return read_journal(self.files, sweep, only)

    def _keep_blob(self, digest: str, content: bytes) -> None:
        """Write a blob unless an intact and young one exists.

        An existing one is read and verified, because the task may be running again just because this blob is damaged. A
        read costs less than the write that it saves.
        """
        path = blob_path(digest)
        known = self.files.stat(path)
        if (
            known is None
            or known.size_bytes != len(content)
            or time.time() - known.modified_s > FRESH_S
            or self.read_blob(digest) is None
        ):
            self.files.replace(path, content)
        if self._cache:
            self._cache.put(digest, content)


def manifest_path(key: str) -> str:
    """The path of a manifest."""
    return f"manifests/{key[:2]}/{key}.json"


def blob_path(digest: str) -> str:
    """The path of a blob."""
    return f"blobs/{digest[:2]}/{digest}"


def blob_digest(path: str) -> bytes:
    """The digest that a blob is named by; of a file that is none, its name."""
    name = path.rpartition("/")[2]
    try:
        return bytes.fromhex(name)
    except ValueError:
        return name.encode()


def checkpoint_path(key: str) -> str:
    """The path of a task's checkpoint."""
    return f"checkpoints/{key[:2]}/{key}"


def sweep_path(name: str) -> str:
    """The path of a sweep's record."""
    return f"sweeps/{name}.json"
