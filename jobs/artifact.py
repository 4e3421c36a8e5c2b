"""Artifacts (the results of finished tasks), and the protocol of the store that keeps them.

Pure: no disk, no network. The implementations are in `orchestrator.store`, and every one passes the suite in
`tests/contracts`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Protocol

from jobs.compatibility import known_fields
from jobs.errors import OrchardError
from jobs.identity import Json, Parsed


class MissingArtifactError(OrchardError):
    """No artifact is committed under this key, or it has no such file."""


class CorruptArtifactError(OrchardError):
    """Stored content does not have the digest that was committed.

    Args:
        message: Where and what.
        key: The task whose artifact it is: computing it again repairs the store.
    """

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of an artifact: its digest and its size."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The record of a finished task. An artifact exists exactly when its manifest does.

    Attributes:
        key: The task's content key.
        stage: Name of the stage.
        identity: The fields that the key was computed from, for `orchard explain`.
        inputs: Role -> key of each artifact that the task read.
        measurements: Results that are the same on every run of the task.
        timings: Results that are not (seconds, speeds); left out when two runs are compared.
        files: Name -> digest and size.
        label: The curve that asked for it first.
        created_s: When the stage ended, seconds since the epoch.
        duration_s: How long the stage ran.
        host: Where it ran.
        resources: What it requested from the cluster (`Resources.to_json`).
        usage: Peak usage: `memory_bytes`, and `gpu_fraction` of the GPU's memory.
        versions: Of Python and of the numerical libraries.
        processor: What determines rounding: make and model, instruction sets, threads. Empty in older manifests.
        git_commit: Commit of the code that ran; empty where unknown.
    """

    key: str
    stage: str
    identity: Parsed
    measurements: Mapping[str, Json]
    inputs: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, FileEntry] = field(default_factory=dict)
    label: str = ""
    created_s: float = 0.0
    duration_s: float = 0.0
    host: str = ""
    resources: Mapping[str, float] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    processor: Mapping[str, str] = field(default_factory=dict)
    git_commit: str = ""

    @property
    def ran_on(self) -> str:
        """Model of the GPU that the stage computed on, else of the processor; empty in older manifests."""
        return self.processor.get("gpu", self.processor.get("cpu", ""))

    def to_json(self) -> dict[str, Json]:
        """The manifest as JSON."""
        # Not asdict, which copies every leaf: that is a third of what committing an empty task costs.
        value = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**value, "files": {name: asdict(entry) for name, entry in self.files.items()}}

    @classmethod
    def from_json(cls, value: Parsed) -> "Manifest":
        """The manifest that `to_json` wrote; what a later version adds is left out."""
        files = {name: FileEntry(**known_fields(FileEntry, entry)) for name, entry in value["files"].items()}
        inputs = value.get("inputs", value["identity"].get("inputs", {}))  # version 0.1 had them in the identity
        return cls(**{**known_fields(cls, value), "inputs": inputs, "files": files})

    def same_result(self, other: "Manifest") -> bool:
        """Whether two runs of one task gave the same measurements and file digests."""
        return self.measurements == other.measurements and self.files == other.files


class Commit(StrEnum):
    """The result of a commit."""

    FIRST = "first"
    """This writer's artifact is now the artifact."""
    REPEATED = "repeated"
    """Another writer was first, with the same result."""
    DIFFERENT = "different"
    """Another writer was first, with a different result, if only in the last bits. The first one is kept."""


class Store(Protocol):
    """Content-addressed artifacts under one URI. The first writer of a key wins; commits are atomic."""

    @property
    def uri(self) -> str:
        """Its location; opening this URI gives the same store."""

    def has(self, key: str) -> bool:
        """Whether an artifact is committed under this key."""

    def present(self, keys: Iterable[str]) -> set[str]:
        """Those of `keys` that are committed; a batch version of `has`."""

    def manifest(self, key: str) -> Manifest:
        """The manifest of a committed artifact.

        Raises:
            MissingArtifactError: Nothing is committed under this key.
            CorruptArtifactError: The manifest cannot be read.
        """

    def manifests(self, keys: Iterable[str]) -> tuple[dict[str, Manifest], set[str]]:
        """The manifests of those of `keys` that are committed, and the keys whose manifest is damaged."""

    def read(self, key: str, name: str) -> bytes:
        """One file of a committed artifact, its digest checked.

        Raises:
            MissingArtifactError: No such artifact, or it has no such file.
            CorruptArtifactError: The content has another digest than the manifest says.
        """

    def commit(self, manifest: Manifest, files: Mapping[str, bytes]) -> Commit:
        """Publish an artifact atomically. `manifest.files` is filled in from `files`."""

    def quarantine(self, key: str) -> None:
        """Move a damaged artifact out of the way, so that its task can run and commit again; no error if there is none.

        Its intact files stay, because other artifacts may refer to them.
        """

    def save_checkpoint(self, key: str, content: bytes) -> None:
        """Store the checkpoint of a running task; replaces the earlier one atomically."""

    def load_checkpoint(self, key: str) -> bytes | None:
        """The last checkpoint of a task; None where there is none or it is damaged."""

    def drop_checkpoint(self, key: str) -> None:
        """Delete the checkpoint of a task, if there is one."""

    def write_log(self, key: str, text: str) -> str:
        """Store the log of one attempt; returns its address."""
