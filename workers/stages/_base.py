"""The one signature of all stages: a pure function of parameters and input artifacts.

A stage gets its typed parameters, reads the artifacts that they name, draws randomness from generators that its seed
gives, and returns files and measurements. It knows no store layout, no cluster and no clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch

from jobs.errors import CancelledError
from jobs.identity import Json, content_key
from jobs.stages.base import StageParams
from jobs.task import Task
from workers.artifacts import ArtifactReader
from workers.checkpoints import Checkpoint
from workers.network import StoredNetwork

Params = TypeVar("Params", bound=StageParams, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(Generic[Params]):
    """What a stage is given.

    Attributes:
        task: The task that runs.
        params: Its parameters.
        artifacts: Where input artifacts are read; stages write none.
        device: Where tensors go.
        should_stop: Polled per batch; true when the task was asked to stop.
        checkpoint: Where a long stage keeps how far it has come.
    """

    task: Task
    params: Params
    artifacts: ArtifactReader
    device: torch.device
    should_stop: Callable[[], bool]
    checkpoint: Checkpoint

    def network(self, key: str) -> StoredNetwork:
        """The network that a task left."""
        return StoredNetwork(self.artifacts, key)

    def generator(self, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
        """A generator that the task's seed and the purpose give; two purposes draw independently.

        Args:
            purpose: What is drawn, e.g. `batches`.
            device: Where it draws.
        """
        seed = int(content_key([self.params.seed, purpose])[:15], 16)
        return torch.Generator(device=device).manual_seed(seed)

    def poll(self) -> None:
        """To be called per batch.

        Raises:
            CancelledError: The task was asked to stop.
        """
        if self.should_stop():
            raise CancelledError(f"{self.task.stage} stopped on request")


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
