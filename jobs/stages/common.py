"""Records that the parameters of several stages share: data set, calibration data, and how widths are chosen."""

from typing import Annotated, Any, Literal

from pydantic import Field

from jobs.spec.allocation import (
    AllocationRecord,
    BestScoreAllocation,
    GlobalAllocation,
    IsomorphicAllocation,
    LeastErrorAllocation,
    OwnAllocation,
    PredefinedAllocation,
    SensitivityAllocation,
    TemplateAllocation,
    UniformAllocation,
)
from jobs.spec.base import Record
from jobs.spec.data import NormalizeSpec
from jobs.stages.base import ArtifactKey

Partition = Literal["adaptive", "curvature", "uniform"]
QuadratureName = Literal["product", "midpoint", "trapezoid", "simpson"]
Target = Literal["parameters", "macs", "latency"]


class DatasetParams(Record):
    """The data set; its location is not part of it."""

    dataset: str = Field(description="A data set of ours, or the user's own `package.module:callable`.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the data set.")
    normalize: NormalizeSpec | None = None
    fingerprint: str = Field(description="Fingerprint of its files.")


class CalibrationParams(Record):
    """Calibration data: images of the training split, drawn by the stage's seed."""

    data: DatasetParams
    num_images: int | None = Field(default=None, ge=1, description="None: all.")


class DesignInput(Record):
    """A pruned network of another method, whose widths are a design."""

    network: ArtifactKey
    channels: ArtifactKey = Field(description="The network before pruning, with its channel groups.")


class FollowedDesigns(AllocationRecord):
    """A guided allocation with its designs resolved to artifacts."""

    kind: Literal["guided"] = "guided"
    designs: tuple[DesignInput, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """None: the designs are artifacts."""
        return {}


PlannedAllocation = Annotated[
    UniformAllocation
    | LeastErrorAllocation
    | GlobalAllocation
    | IsomorphicAllocation
    | SensitivityAllocation
    | PredefinedAllocation
    | FollowedDesigns
    | TemplateAllocation
    | BestScoreAllocation
    | OwnAllocation,
    Field(discriminator="kind"),
]


class WidthParams(Record):
    """How many channels each group keeps: the allocation, its target, and its inputs."""

    allocation: PlannedAllocation
    compression: float = Field(ge=0, lt=1, description="Fraction of the target's cost to remove.")
    target: Target = "parameters"
    losses: ArtifactKey | None = Field(default=None, description="Sensitivity: the loss with each group cut alone.")
    profile: ArtifactKey | None = Field(default=None, description="Latencies of the layers.")
    memory_batch_size: int | None = Field(default=None, description="Batch size for the limit on memory.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")
    ortools: str | None = Field(default=None, description="Version of the solver, where one is used.")


class Removal(Record):
    """Remove the channels with the lowest scores."""

    kind: Literal["remove"] = "remove"
    scores: ArtifactKey


class Resampling(Record):
    """Resample the integral network at the new widths."""

    kind: Literal["resample"] = "resample"
    partition: Partition
    quadrature: QuadratureName


Shrinking = Annotated[Removal | Resampling, Field(discriminator="kind")]
"""How a network is brought to given widths."""
