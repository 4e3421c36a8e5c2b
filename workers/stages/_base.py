"""The one signature of all stages: a pure function of parameters and input artifacts.

A stage gets its typed parameters, reads the artifacts that they name, draws randomness from generators seeded by
its seed, and returns files and measurements. No store layout, no cluster, no clock.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
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
from workers.parallel import Processes, alone

Params = TypeVar("Params", bound=StageParams, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(Generic[Params]):
    """The inputs of a stage.

    Attributes:
        task: The task that runs.
        params: Its parameters.
        artifacts: Reader of input artifacts; stages write none.
        device: Device of tensors.
        should_stop: Polled per batch; true when the task was asked to stop.
        checkpoint: Keeps the progress of a long stage.
        together: Within it the processes of the task train together.
    """

    task: Task
    params: Params
    artifacts: ArtifactReader
    device: torch.device
    should_stop: Callable[[], bool]
    checkpoint: Checkpoint
    together: Callable[[], AbstractContextManager[Processes]] = alone

    def network(self, key: str) -> StoredNetwork:
        """The network in the artifact of a task."""
        return StoredNetwork(self.artifacts, key)

    def generator(self, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
        """A generator seeded by the task's seed and the purpose; two purposes draw independently.

        Args:
            purpose: What is drawn, e.g. `batches`.
            device: Device of the generator.
        """
        return torch.Generator(device=device).manual_seed(self._seed(purpose))

    def small_seed(self, purpose: str) -> int:
        """The same as a number of 32 bits, for libraries that draw by themselves."""
        return self._seed(purpose) % 2**32

    def _seed(self, purpose: str) -> int:
        return int(content_key([self.params.seed, purpose])[:15], 16)

    def poll(self) -> None:
        """To be called per batch.

        Raises:
            CancelledError: The task was asked to stop.
        """
        if self.should_stop():
            raise CancelledError(f"{self.task.stage} stopped on request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """The result of a stage.

    Attributes:
        files: Name -> content; tensors as safetensors, records as JSON.
        measurements: Small results, the same on every run.
        timings: Seconds and speeds, which differ between runs.
    """

    measurements: Mapping[str, Json]
    files: Mapping[str, bytes] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
