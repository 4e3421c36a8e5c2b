"""What the tasks of a sweep ask of the cluster, how they are profiled, and where the sweep stops."""

from typing import Annotated

from pydantic import AfterValidator, Field

from jobs import checks
from jobs.errors import nearest
from jobs.spec.base import Record
from jobs.stages.table import StageKind


class ResourcesSpec(Record):
    """What each task of a stage asks of the cluster."""

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
    """How passes are counted whose latency or memory is limited."""

    batch_size: int = Field(default=1, ge=1, description="Images in a pass.")


class BudgetSpec(Record):
    """Where a sweep stops by itself: nothing more is submitted, what runs is awaited, what is done is kept."""

    gpu_hours: float | None = Field(
        default=None, gt=0, description="GPU-hours of the whole sweep, all its runs together; default: no cap."
    )
    wall_hours: float | None = Field(default=None, gt=0, description="Hours of one run; default: no cap.")
