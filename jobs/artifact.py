"""What a finished task leaves behind, and the contract of the place that keeps it.

Records and a protocol; no input or output here. The implementations are in `orchestrator.store`, and every one
passes the suite in `tests/contracts`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Protocol

from jobs.errors import OrchardError
from jobs.identity import Json, Parsed


class MissingArtifactError(OrchardError):
    """No artifact is committed under this key, or it has no such file."""


class CorruptArtifactError(OrchardError):
    """What is stored does not have the digest that was committed.

    Args:
        message: Where and what.
        key: The task whose artifact it is: computing it again mends the store.
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
        identity: What the key was made of, so that `orchard explain` can tell.
        inputs: Role -> key of each artifact that it was made from.
        measurements: Results that are the same on every run of the task.
        timings: Results that are not (seconds); no part of the comparison between two runs.
        files: Name -> digest and size.
        label: Which curve asked for it first.
        created_s: When the stage ended, seconds since the epoch.
        duration_s: How long the stage ran.
        host: Where it ran.
        resources: What it asked of the cluster: `num_cpus`, `num_gpus`, `memory_bytes`.
        usage: What it used: `memory_bytes` at most, and at most which `gpu_fraction` of the GPU's memory.
        versions: Of Python and of the libraries that compute.
        processor: What rounded: make and model, instructions, threads. Empty in manifests from before it was kept.
        git_commit: Of the code that ran, where known.
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

    def to_json(self) -> dict[str, Json]:
        """The manifest as JSON."""
        # Not asdict, which copies every leaf: that is a third of what committing an empty task costs.
        value = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**value, "files": {name: asdict(entry) for name, entry in self.files.items()}}

    @classmethod
    def from_json(cls, value: Parsed) -> "Manifest":
        """The manifest that `to_json` wrote."""
        files = {name: FileEntry(**entry) for name, entry in value["files"].items()}
        inputs = value.get("inputs", value["identity"].get("inputs", {}))  # version 0.1 had them in the identity
        return cls(**{**value, "inputs": inputs, "files": files})

    def same_result(self, other: "Manifest") -> bool:
        """Whether two runs of one task gave the same: measurements and file digests."""
        return self.measurements == other.measurements and self.files == other.files


class Commit(StrEnum):
    """What came of a commit."""

    FIRST = "first"
    """This writer's artifact is now the artifact."""
    REPEATED = "repeated"
    """Another writer was first, with the same result."""
    DIFFERENT = "different"
    """Another writer was first, with another result, if only in the last bits. The first stands."""


class Store(Protocol):
    """Content-addressed artifacts under one URI. The first writer of a key wins; nobody sees half an artifact."""

    @property
    def uri(self) -> str:
        """Where it is; opening this URI gives the same store."""

    def has(self, key: str) -> bool:
        """Whether an artifact is committed under this key."""

    def present(self, keys: Iterable[str]) -> set[str]:
        """Those of `keys` that are committed; one listing, for many keys."""

    def manifest(self, key: str) -> Manifest:
        """The manifest of a committed artifact.

        Raises:
            MissingArtifactError: Nothing is committed under this key.
            CorruptArtifactError: The manifest cannot be read.
        """

    def manifests(self, keys: Iterable[str]) -> tuple[dict[str, Manifest], set[str]]:
        """The manifests of those of `keys` that are committed, and the keys whose manifest is damaged; many at once."""

    def read(self, key: str, name: str) -> bytes:
        """One file of a committed artifact, its digest checked.

        Raises:
            MissingArtifactError: No such artifact, or it has no such file.
            CorruptArtifactError: The content has another digest than the manifest says.
        """

    def commit(self, manifest: Manifest, files: Mapping[str, bytes]) -> Commit:
        """Publish an artifact: all of it or nothing. `manifest.files` is filled in from `files`."""

    def quarantine(self, key: str) -> None:
        """Put a damaged artifact aside, so that its task can be run and committed again; no error if there is none.

        Files of it that are whole stay, for other artifacts may name them.
        """

    def save_checkpoint(self, key: str, content: bytes) -> None:
        """Keep how far a task has come; replaces its earlier checkpoint in one step."""

    def load_checkpoint(self, key: str) -> bytes | None:
        """The last checkpoint of a task; None where there is none or it is damaged."""

    def drop_checkpoint(self, key: str) -> None:
        """Forget the checkpoint of a task, if there is one."""

    def write_log(self, key: str, text: str) -> str:
        """Keep the log of one attempt; returns its address."""
