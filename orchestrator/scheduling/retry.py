"""Retry rules by cause: whether a failed task is retried, after which delay, and with which resources.

A pure function of the failure and of how often the task has failed for the same cause.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from jobs.outcome import Cause, Failed
from jobs.resources import Resources

RETRIES: Mapping[Cause, int] = {
    Cause.PREEMPTED: 8,  # without progress between them: a task that kills every worker must not be retried for ever
    Cause.TRANSIENT: 5,
    Cause.OUT_OF_MEMORY: 3,
    Cause.UNFIT_MACHINE: 3,
    Cause.CORRUPT: 5,
}
"""Maximum number of retries per task and cause; other causes are not retried."""

_PASSING = frozenset({Cause.TRANSIENT, Cause.CORRUPT, Cause.UNFIT_MACHINE})
"""What time may mend: a network file system can show a machine for seconds what was there before; mounts come back."""

_FIRST_DELAY_S, _LONGEST_DELAY_S = 1.0, 60.0
_LEAST_MEMORY_BYTES = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A retry.

    Attributes:
        delay_s: Delay before it, in seconds.
        resources: Its resource request.
    """

    delay_s: float
    resources: Resources


def retry_after(failure: Failed, *, count: int, asked: Resources, memory_limit_bytes: int = 0) -> Retry | None:
    """The retry after a failure; None where the failure is final.

    Args:
        failure: The failure.
        count: How often the task has failed for this cause, including this failure, since it last got further.
        asked: The request of the failed attempt.
        memory_limit_bytes: The most memory that it can ask for beside its CPUs and GPUs; 0 where unknown.
    """
    if count > RETRIES.get(failure.cause, 0) or (failure.cause is Cause.UNFIT_MACHINE and not failure.node):
        return None  # what ran on no node of a cluster can run on no other one
    if failure.cause is Cause.OUT_OF_MEMORY:
        resources = _more_memory(failure, asked, memory_limit_bytes)
        return Retry(delay_s=0.0, resources=resources) if resources else None
    delay_s = backoff_s(failure.key, count) if failure.cause in _PASSING else 0.0
    return Retry(delay_s=delay_s, resources=asked)


def backoff_s(key: str, count: int) -> float:
    """Exponential back-off with jitter: between half and one and a half of 1, 2, 4, ... seconds, 60 at most.

    The jitter is derived from the key, so that the result is deterministic.
    """
    jitter = int.from_bytes(sha256(f"{key}/{count}".encode()).digest()[:4]) / 2**32
    return min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** (count - 1)) * (0.5 + jitter)


def _more_memory(failure: Failed, asked: Resources, memory_limit_bytes: int) -> Resources | None:
    """Twice the memory, up to one whole GPU or what a node has; None where it had all of that."""
    if failure.on_gpu:
        return replace(asked, num_gpus=min(1.0, 2 * asked.num_gpus)) if asked.num_gpus < 1 else None
    more = 2 * max(asked.memory_bytes, failure.usage.memory_bytes, _LEAST_MEMORY_BYTES // 2)
    if memory_limit_bytes:
        if asked.memory_bytes >= memory_limit_bytes:
            return None
        more = min(more, memory_limit_bytes)
    return replace(asked, memory_bytes=more)
