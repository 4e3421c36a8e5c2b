"""Resource requests per stage, profiling settings, and budgets of a sweep."""

from typing import Annotated

from pydantic import AfterValidator, Field

from jobs import checks
from jobs.errors import nearest
from jobs.spec.base import Record
from jobs.spec.measure import Runtime, Threads
from jobs.stages.table import StageKind


class ResourcesSpec(Record):
    """What each task of a stage requests from the cluster."""

    num_cpus: float = Field(default=1.0, gt=0)
    num_gpus: float | None = Field(
        default=None, ge=0, description="Default: 1 for `train`, a quarter for the other GPU stages, on `cuda`."
    )
    memory_bytes: int = Field(default=0, ge=0, description="Memory to reserve; 0 reserves none.")


def _known_stage(name: str) -> str:
    known = tuple(stage.value for stage in StageKind)
    if name not in known:
        raise checks.fault(f"there is no such stage; {nearest(name, known)}")
    return name


StagesSpec = dict[Annotated[str, AfterValidator(_known_stage)], ResourcesSpec]
"""Resources per stage, by its name."""


class ProfileSpec(Record):
    """The forward pass whose latency or memory is limited."""

    batch_size: int = Field(default=1, ge=1, description="Images per forward pass.")
    runtime: Runtime = Field(
        default="eager", description="What runs it: layers are timed in this runtime, one by one at several widths."
    )
    threads: Threads = None


class BudgetSpec(Record):
    """Limits at which a sweep stops: no new task is submitted, running ones are awaited, results are kept."""

    gpu_hours: float | None = Field(
        default=None, gt=0, description="GPU-hours of the sweep, over all its runs; default: no cap."
    )
    wall_hours: float | None = Field(default=None, gt=0, description="Wall-clock hours of one run; default: no cap.")
