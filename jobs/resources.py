"""Resource requests of tasks. They are not part of a task's key."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a task requests from the cluster.

    Attributes:
        num_cpus: CPU slots; also the number of threads that the task uses.
        num_gpus: GPUs, fractions allowed.
        memory_bytes: Memory to reserve; 0 reserves none.
        adaptive: `num_gpus` is a default that the scheduler may replace by the usage it has observed.
    """

    num_cpus: float = 1.0
    num_gpus: float = 0.0
    memory_bytes: int = 0
    adaptive: bool = False
