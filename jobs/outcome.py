"""What came of a task: failure is a value, not an exception.

Records only. Who decides what follows from a cause is `orchestrator.scheduling.scheduler`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from jobs.identity import Json


class Cause(StrEnum):
    """Why a task failed."""

    PREEMPTED = "preempted"
    """The node or the worker process was lost; not the task's fault."""
    OUT_OF_MEMORY = "out_of_memory"
    TRANSIENT = "transient"
    """Input or output failed in a way that may pass."""
    CORRUPT = "corrupt"
    """An artifact that the task reads is damaged; that artifact has to be computed again first."""
    BAD_INPUT = "bad_input"
    """The user's network, data or file cannot be used."""
    BAD_NUMERICS = "bad_numerics"
    """NaN or infinity."""
    BAD_NETWORK = "bad_network"
    """The network failed a gate."""
    CANCELLED = "cancelled"
    BUG = "bug"
    """Anything else: an error in a stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an attempt used of its machine.

    Attributes:
        memory_bytes: Peak resident memory of the worker process; 0 where unknown.
        gpu_fraction: Peak of the GPU memory that the attempt reserved, as a fraction of the device's; 0 without a GPU.
    """

    memory_bytes: int = 0
    gpu_fraction: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The task's artifact is committed.

    Attributes:
        key: The task.
        measurements: What the manifest measured; the same on every machine.
        duration_s: Time the stage ran.
        host: Where it ran.
        node: The cluster's name for that machine; filled in by the backend.
        usage: What it took.
        log: Address of the attempt's log; empty where the stage had nothing to say.
        reused: The artifact was there already and the stage did not run.
        deviation: The stage ran, and gave another result than an artifact that was committed meanwhile: by how much,
            and why. Empty where it gave the same.
        nondeterministic: Nothing that is known of the two runs, such as another processor, explains the deviation.
    """

    key: str
    measurements: Mapping[str, Json]
    duration_s: float
    host: str = ""
    node: str = ""
    usage: Usage = Usage()
    log: str = ""
    reused: bool = False
    deviation: str = ""
    nondeterministic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The task has no artifact.

    Attributes:
        key: The task.
        cause: Why.
        message: One line for people.
        traceback: For bugs; empty where the message says all.
        log: Address of the attempt's log; empty where the worker was lost before it could write one.
        duration_s: Time until the failure.
        host: Where it ran, as far as known.
        node: The cluster's name for that machine; filled in by the backend.
        usage: What it took, as far as known.
        on_gpu: For OUT_OF_MEMORY: it was the GPU's memory.
        damaged: For CORRUPT: the key of the artifact to compute again.
    """

    key: str
    cause: Cause
    message: str
    traceback: str = ""
    log: str = ""
    duration_s: float = 0.0
    host: str = ""
    node: str = ""
    usage: Usage = Usage()
    on_gpu: bool = False
    damaged: str = ""


Outcome = Succeeded | Failed
