"""Resource requests of tasks. They are not part of a task's key."""

from dataclasses import dataclass, replace

from jobs.compatibility import known_fields
from jobs.identity import Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a task requests from the cluster.

    Attributes:
        num_cpus: CPU slots; also the number of threads that the task uses, in all its processes together.
        num_gpus: GPUs; fractions allowed below 1.
        memory_bytes: Memory to reserve; 0 reserves none.
        adaptive: `num_gpus` is a default that the scheduler may replace by the usage it has observed.
        processes: Processes that train one network together, each with a share of every batch.
        nodes: Machines that the processes, and all of the above, are spread over in equal shares.
    """

    num_cpus: float = 1.0
    num_gpus: float = 0.0
    memory_bytes: int = 0
    adaptive: bool = False
    processes: int = 1
    nodes: int = 1

    def to_json(self) -> dict[str, float]:
        """The request as JSON; processes and machines only where there are several."""
        several = {"processes": self.processes, "nodes": self.nodes}
        return {
            "num_cpus": self.num_cpus,
            "num_gpus": self.num_gpus,
            "memory_bytes": self.memory_bytes,
            **{name: count for name, count in several.items() if count > 1},
        }

    @classmethod
    def from_json(cls, value: Parsed) -> "Resources":
        """The inverse of `to_json`; what a later version adds is left out."""
        return cls(**known_fields(cls, value))

    @property
    def threads(self) -> int:
        """CPU threads of each of its processes."""
        return max(1, int(self.num_cpus) // self.processes)

    @property
    def share(self) -> "Resources":
        """What is requested of each of its machines."""
        if self.nodes == 1:
            return self
        return replace(
            self,
            num_cpus=self.num_cpus / self.nodes,
            num_gpus=self.num_gpus / self.nodes,
            memory_bytes=self.memory_bytes // self.nodes,
            processes=self.processes // self.nodes,
            nodes=1,
        )
