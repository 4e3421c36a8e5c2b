"""What is looked at: plain records that travel between machines as JSON. They judge nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from jobs.identity import Json, Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What to look at.

    Attributes:
        storage: URI of the store.
        tracking: MLflow's tracking URI.
        gpus: Whether to ask torch for its GPUs, which takes seconds.
    """

    storage: str
    tracking: str
    gpus: bool

    @classmethod
    def from_json(cls, document: Parsed) -> Self:
        """The inverse of `asdict`."""
        return cls(**document)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What was seen from one machine.

    Attributes:
        name: Its host name, or Ray's name of the node.
        versions: By name: python, ray, torch, orchard.
        storage_problem: Why nothing can be kept in the store from here; empty where it can.
        free_bytes: Room for the store, where it is a folder; None for an object store.
        gpus: What torch can use; None where it was not asked.
        gpu_problem: Why torch sees none, where it says.
        slot_gpus: The GPUs that Ray hands out there.
        clock_skew_s: By how much its clock is ahead of the driver's.
        clock_error_s: How wrong that may be: half the time that asking took.
    """

    name: str
    versions: Mapping[str, str]
    storage_problem: str
    free_bytes: int | None
    gpus: int | None
    gpu_problem: str = ""
    slot_gpus: float = 0.0
    clock_skew_s: float = 0.0
    clock_error_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What was seen from inside a cluster.

    Attributes:
        auth_mode: Its RAY_AUTH_MODE; None where it is not set.
        driver: The machine that drivers run on.
        workers: The machines that are up and run tasks.
        startable_gpus: GPUs of all nodes that are there or that the autoscaler could start, as far as is known.
        tracking_problem: Why the driver cannot log to MLflow; empty where it can.
    """

    auth_mode: str | None
    driver: HostFacts
    workers: tuple[HostFacts, ...]
    startable_gpus: float
    tracking_problem: str

    def to_json(self) -> dict[str, Json]:
        """For the way home."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Parsed) -> Self:
        """The inverse of `to_json`."""
        machines = {
            "driver": HostFacts(**document["driver"]),
            "workers": tuple(HostFacts(**worker) for worker in document["workers"]),
        }
        return cls(**{**document, **machines})
