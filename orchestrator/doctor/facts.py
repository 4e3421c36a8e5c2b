"""The facts that checks judge: plain records that travel between machines as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from jobs.identity import Json, Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What to probe.

    Attributes:
        storage: URI of the store.
        tracking: MLflow's tracking URI.
        gpus: Whether to import torch and count its GPUs, which takes seconds.
        locations: Files and folders that every machine has to see, as absolute paths.
    """

    storage: str
    tracking: str
    gpus: bool
    locations: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, document: Parsed) -> Self:
        """The inverse of `asdict`."""
        return cls(**{**document, "locations": tuple(document["locations"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A file or folder that a sweep names, and what of it a job would have.

    Attributes:
        where: Its place in the sweep file or in the command.
        written: As it stands there.
        is_relative: It means a place in the working directory: in a job, in the copy that was uploaded.
        num_here: Files of it that are below the working directory here; 0 where it is not relative.
        num_sent: How many of those are uploaded.
    """

    where: str
    written: str
    is_relative: bool
    num_here: int = 0
    num_sent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What Ray would upload for a job.

    Attributes:
        folder: The working directory.
        sizes: Size in bytes by path of all files that are uploaded.
        named: What the sweep reads and writes.
    """

    folder: str
    sizes: Mapping[str, int]
    named: tuple[NamedFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The facts of one machine.

    Attributes:
        name: Its host name, or Ray's name of the node.
        versions: By name: python, ray, torch, orchard.
        storage_problem: Why the store cannot be written from this machine; empty where it can.
        free_bytes: Free disk space of the store, if it is a folder; None for an object store.
        gpus: Number of GPUs that torch can use; None where it was not requested.
        gpu_problem: Why torch sees none, if it says.
        missing: The requested locations that are not there, or cannot be read.
        slot_gpus: The GPUs that Ray offers there.
        clock_skew_s: By how much its clock is ahead of the driver's.
        clock_error_s: The error of that measurement: half the round-trip time.
    """

    name: str
    versions: Mapping[str, str]
    storage_problem: str
    free_bytes: int | None
    gpus: int | None
    gpu_problem: str = ""
    missing: tuple[str, ...] = ()
    slot_gpus: float = 0.0
    clock_skew_s: float = 0.0
    clock_error_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The facts of a cluster.

    Attributes:
        auth_mode: Its RAY_AUTH_MODE; None where it is not set.
        driver: The machine that drivers run on.
        workers: The machines that are up and run tasks.
        startable_gpus: GPUs of all nodes that are alive or that the autoscaler could start, as far as known.
        tracking_problem: Why the driver cannot log to MLflow; empty where it can.
        gcs_address: `host:port` at which its head takes orders.
    """

    auth_mode: str | None
    driver: HostFacts
    workers: tuple[HostFacts, ...]
    startable_gpus: float
    tracking_problem: str
    gcs_address: str

    def to_json(self) -> dict[str, Json]:
        """The facts as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Parsed) -> Self:
        """The inverse of `to_json`."""
        machines = {
            "driver": _host(document["driver"]),
            "workers": tuple(map(_host, document["workers"])),
        }
        return cls(**{**document, **machines})


def _host(document: Parsed) -> HostFacts:
    return HostFacts(**{**document, "missing": tuple(document["missing"])})
