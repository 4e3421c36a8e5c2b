"""The outcome of an attempt to run a task: failure is a value, not an exception.

What follows from a failure is decided in `orchestrator.scheduling.decision`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from jobs.identity import Json


class Cause(StrEnum):
    """Why a task failed."""

    PREEMPTED = "preempted"
    """The node or the worker process was lost; the task is not at fault."""
    OUT_OF_MEMORY = "out_of_memory"
    TRANSIENT = "transient"
    """Input or output failed; a retry may succeed."""
    CORRUPT = "corrupt"
    """An input artifact is damaged and has to be computed again first."""
    BAD_INPUT = "bad_input"
    """The user's network, data or file cannot be used."""
    UNFIT_MACHINE = "unfit_machine"
    """That machine cannot compute the task: it lacks the GPU, data or code that the driver saw, or its GPU fails."""
    BAD_NUMERICS = "bad_numerics"
    """NaN or infinity."""
    BAD_NETWORK = "bad_network"
    """The network failed a gate."""
    CANCELLED = "cancelled"
    BUG = "bug"
    """Any other exception in a stage."""


INHERENT = frozenset({Cause.BAD_INPUT, Cause.BAD_NETWORK, Cause.BAD_NUMERICS})
"""Causes that lie in the task: it would fail for them in every run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Peak resource usage of an attempt.

    Attributes:
        memory_bytes: Peak resident memory of the worker process; 0 where unknown.
        gpu_fraction: Peak GPU memory reserved by the attempt, as a fraction of the device's; 0 without a GPU.
    """

    memory_bytes: int = 0
    gpu_fraction: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The task's artifact is committed.

    Attributes:
        key: The task.
        measurements: The measurements of the manifest.
        duration_s: Time the stage ran.
        host: Where it ran.
        node: The cluster's name for that machine; filled in by the backend.
        usage: Peak resource usage.
        log: Address of the attempt's log; empty where the stage wrote none.
        reused: Cache hit: the artifact was in the store and the stage did not run.
        deviation: The stage ran and its result differs from an artifact that was committed meanwhile: by how much,
            and why. Empty where the results agree.
        nondeterministic: No known difference between the two runs, such as the processor, explains the deviation.
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
        message: One line.
        traceback: For bugs; empty where the message is enough.
        log: Address of the attempt's log; empty where the worker was lost before it could write one.
        duration_s: Time until the failure.
        host: Where it ran, as far as known.
        node: The cluster's name for that machine; filled in by the backend.
        usage: Peak resource usage, as far as known.
        on_gpu: For OUT_OF_MEMORY: it was GPU memory.
        sticky: For UNFIT_MACHINE: whatever the process computes next on its GPU fails, too; it has to end.
        damaged: For CORRUPT: the key of the artifact to compute again.
        together: Another attempt was lost with it, in the same process: that one stands for both.
        progressed: For PREEMPTED: the attempt left a newer checkpoint than the one before; filled in by the driver.
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
    sticky: bool = False
    damaged: str = ""
    together: bool = False
    progressed: bool = False


Outcome = Succeeded | Failed
