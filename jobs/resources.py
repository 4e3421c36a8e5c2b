"""Resource requests of tasks. They are not part of a task's key."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a task requests from the cluster.

    Attributes:
        num_cpus: CPU slots; also the number of threads that the task uses, in all its processes together.
        num_gpus: GPUs; fractions allowed below 1.
        memory_bytes: Memory to reserve; 0 reserves none.
        adaptive: `num_gpus` is a default that the scheduler may replace by the usage it has observed.
        processes: Processes that train one network together, on one machine, each with a share of every batch.
    """

    num_cpus: float = 1.0
    num_gpus: float = 0.0
    memory_bytes: int = 0
    adaptive: bool = False
    processes: int = 1
