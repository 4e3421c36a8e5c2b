"""What a task asks of the cluster. Beside a task's key, and no part of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a task asks of the cluster.

    Attributes:
        num_cpus: CPU slots; also the number of threads that the task uses.
        num_gpus: GPUs, fractions allowed.
        memory_bytes: Memory to reserve; 0 reserves none.
        adaptive: `num_gpus` is a first guess, which the scheduler may replace by what it has learnt.
    """

    num_cpus: float = 1.0
    num_gpus: float = 0.0
    memory_bytes: int = 0
    adaptive: bool = False
