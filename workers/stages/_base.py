"""The one signature of all stages: a pure function of parameters and input artifacts.

A stage sees its task, reads artifacts by role, draws randomness from generators that its seed gives, and returns
files and measurements. It knows no store layout, no cluster and no clock.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from jobs.artifact import CorruptArtifactError, Manifest, MissingArtifactError, Store
from jobs.identity import Json, content_key
from jobs.task import Task
from workers.checkpoints import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a stage is given.

    Attributes:
        task: The task that runs.
        store: Where input artifacts are read; stages write nothing to it.
        device: Where tensors go.
        should_stop: Polled per batch; true when the task was asked to stop.
        checkpoint: Where a long stage keeps how far it has come.
    """

    task: Task
    store: Store
    device: torch.device
    should_stop: Callable[[], bool]
    checkpoint: Checkpoint

    @property
    def params(self) -> Mapping[str, Json]:
        """The task's parameters."""
        return self.task.params

    def read(self, role: str, name: str) -> bytes:
        """A file of the artifact in a role; raises as `read_from` does."""
        return self.read_from(self.task.inputs[role], name)

    def read_json(self, role: str, name: str) -> Json:
        """The same, parsed."""
        return json.loads(self.read(role, name))

    def measured(self, role: str) -> Mapping[str, Json]:
        """The measurements of the artifact in a role; raises as `manifest` does."""
        return self.manifest(self.task.inputs[role]).measurements

    def read_from(self, key: str, name: str) -> bytes:
        """A file of an artifact that the task was promised.

        Raises:
            CorruptArtifactError: It is damaged, or the artifact is gone: it has to be made again.
            MissingArtifactError: The artifact is there and has no such file.
        """
        try:
            return self.store.read(key, name)
        except MissingArtifactError:
            if self.store.has(key):
                raise
            raise self._gone(key) from None

    def manifest(self, key: str) -> Manifest:
        """The manifest of an artifact that the task was promised.

        Raises:
            CorruptArtifactError: It is damaged or gone: the artifact has to be made again.
        """
        try:
            return self.store.manifest(key)
        except MissingArtifactError:
            raise self._gone(key) from None

    def _gone(self, key: str) -> CorruptArtifactError:
        return CorruptArtifactError(f"{self.store.uri}: artifact {key}, which this task reads, is gone", key=key)

    def generator(self, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
        """A generator that the task's seed and the purpose give; two purposes draw independently.

        Args:
            purpose: What is drawn, e.g. `batches`.
            device: Where it draws.
        """
        seed = int(content_key([self.params.get("seed"), purpose])[:15], 16)
        return torch.Generator(device=device).manual_seed(seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What a stage gives back.

    Attributes:
        files: Name -> content; tensors as safetensors, records as JSON.
        measurements: Small results, the same on every run.
        timings: Small results that are not (seconds).
    """

    measurements: Mapping[str, Json]
    files: Mapping[str, bytes] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
