"""Resource requests per stage, profiling settings, and budgets of a sweep."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from jobs import checks
from jobs.errors import nearest
from jobs.spec.base import Record
from jobs.spec.measure import Machine, Runtime, Threads
from jobs.stages.table import StageKind


class ResourcesSpec(Record):
    """What each task of a stage requests from the cluster."""

    num_cpus: float = Field(default=1.0, gt=0)
    num_gpus: float | None = Field(
        default=None,
        ge=0,
        description="Default: 1 for `train`, a quarter for the other GPU stages, on `cuda`. Below 1: several tasks "
        "share a GPU. 2 or more: that many `processes` train together, each on a GPU of its own.",
    )
    memory_bytes: int = Field(default=0, ge=0, description="Memory to reserve; 0 reserves none.")
    processes: int | None = Field(
        default=None,
        ge=1,
        description="Of `train`: processes that train one network together, each with a share of every batch. Default: "
        "one for each GPU. Without GPUs they share `num_cpus`.",
    )
    nodes: int = Field(
        default=1,
        ge=1,
        description="Of `train`: machines of the Ray cluster that the processes, and all that is asked for here, are "
        "spread over in equal shares.",
    )

    @model_validator(mode="after")
    def _gpus_are_whole(self) -> Self:
        if self.num_gpus is not None and self.num_gpus > 1 and self.num_gpus != int(self.num_gpus):
            raise checks.fault(f"num_gpus {self.num_gpus:g} is neither a whole number nor a part of one GPU; round it")
        return self

    @model_validator(mode="after")
    def _each_process_has_a_gpu(self) -> Self:
        if self.processes and self.num_gpus and self.num_processes != max(1, self.num_gpus):
            raise checks.fault(
                f"{self.processes} processes on {self.num_gpus:g} GPUs: each process trains on a GPU of its own; leave "
                "`processes` out, or give the same number"
            )
        return self

    @model_validator(mode="after")
    def _nodes_have_equal_shares(self) -> Self:
        if self.num_processes % self.nodes:
            raise checks.fault(
                f"{self.num_processes} processes on {self.nodes} nodes: each node has as many as the others; give "
                "num_gpus, or processes, a multiple of `nodes`"
            )
        return self

    @property
    def num_processes(self) -> int:
        """Processes of each task."""
        return self.processes or max(1, int(self.num_gpus or 0))


def _known_stage(name: str) -> str:
    known = tuple(stage.value for stage in StageKind)
    if name not in known:
        raise checks.fault(f"there is no such stage; {nearest(name, known)}")
    return name


def _several_only_where_they_train(stages: dict[str, ResourcesSpec]) -> dict[str, ResourcesSpec]:
    for name, asked in stages.items():
        if asked.num_processes > 1 and not StageKind(name).row.parallel:
            able = ", ".join(stage for stage in StageKind if stage.row.parallel)
            raise checks.fault(
                f"{name}: num_gpus and processes are at most 1; only {able} computes on several GPUs, or in several "
                "processes"
            )
    return stages


StagesSpec = Annotated[
    dict[Annotated[str, AfterValidator(_known_stage)], ResourcesSpec], AfterValidator(_several_only_where_they_train)
]
"""Resources per stage, by its name."""


class ProfileSpec(Record):
    """The forward pass whose latency or memory is limited."""

    batch_size: int = Field(default=1, ge=1, description="Images per forward pass.")
    runtime: Runtime = Field(
        default="eager", description="What runs it: layers are timed in this runtime, one by one at several widths."
    )
    threads: Threads = None
    machine: Machine = None


class BudgetSpec(Record):
    """Limits at which a sweep stops: no new task is submitted, running ones are awaited, results are kept."""

    gpu_hours: float | None = Field(
        default=None, gt=0, description="GPU-hours of the sweep, over all its runs; default: no cap."
    )
    wall_hours: float | None = Field(default=None, gt=0, description="Wall-clock hours of one run; default: no cap.")
