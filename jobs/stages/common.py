"""Parts that the parameters of several stages share: data set, images, objective, and how widths are chosen."""

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
    """Which data set; where it lies is no part of it."""

    dataset: str = Field(description="A data set of ours, or the user's own `package.module:callable`.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the data set.")
    normalize: NormalizeSpec | None = None
    fingerprint: str = Field(description="Names the content of its files.")


class ObjectiveParams(Record):
    """What the networks of a sweep are for."""

    name: str = Field(default="classification", description="One of ours, or the user's own `package.module:callable`.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")


class CalibrationParams(Record):
    """Images of the training split that a stage looks at; its seed chooses them."""

    data: DatasetParams
    num_images: int | None = Field(default=None, ge=1, description="How many; None: all.")


class DesignInput(Record):
    """A smaller network that another method found."""

    network: ArtifactKey
    channels: ArtifactKey = Field(description="The network that it was made from, with its channel groups.")


class FollowedDesigns(AllocationRecord):
    """In the proportions of designs that another method found: what a guided allocation of a sweep file becomes."""

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
    """How many channels of which group stay: the allocation, its target, and what it looks at."""

    allocation: PlannedAllocation
    compression: float = Field(ge=0, lt=1, description="Fraction of the target's cost to remove.")
    target: Target = "parameters"
    losses: ArtifactKey | None = Field(default=None, description="By how much the loss grows with each group cut.")
    profile: ArtifactKey | None = Field(default=None, description="Times of the layers.")
    memory_batch_size: int | None = Field(default=None, description="Images of a pass whose memory is limited.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")
    ortools: str | None = Field(default=None, description="Version of the solver, where one is asked.")


class Removal(Record):
    """Channels are removed: the ones of the lowest scores."""

    kind: Literal["remove"] = "remove"
    scores: ArtifactKey


class Resampling(Record):
    """Channels are samples of functions: they are sampled anew."""

    kind: Literal["resample"] = "resample"
    partition: Partition
    quadrature: QuadratureName


Shrinking = Annotated[Removal | Resampling, Field(discriminator="kind")]
"""How a network is made smaller at given widths."""
