"""Parameters of the stages that make a network smaller, and of the tuning before that."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.spec.base import Record
from jobs.spec.integral import TuneSpec
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import CalibrationParams, DatasetParams, ObjectiveParams, Resampling, Shrinking, WidthParams


class TuneParams(StageParams):
    """Parameters of `tune`."""

    network: ArtifactKey
    widths: WidthParams
    how: Resampling
    tune: TuneSpec
    data: DatasetParams
    objective: ObjectiveParams = ObjectiveParams()


class ChannelPruning(Record):
    """Whole channels go."""

    kind: Literal["channels"] = "channels"
    network: ArtifactKey
    widths: WidthParams
    how: Shrinking
    tuned: ArtifactKey | None = Field(default=None, description="A tuned partition to resample at.")


class WeightPruning(Record):
    """Single weights become zero."""

    kind: Literal["weights"] = "weights"
    network: ArtifactKey
    rewound: ArtifactKey | None = Field(
        default=None, description="The network whose values the weights that are left return to."
    )
    scope: Literal["global", "layer"]
    linear: bool = Field(description="Linear layers lose weights, too.")
    compression: float = Field(ge=0, lt=1, description="Fraction of all parameters to remove.")
    round: int = Field(default=1, ge=1, description="Which one of the rounds it is.")
    rounds: int = Field(default=1, ge=1)


class ChannelRewinding(Record):
    """The channels that another task removed are removed from an earlier network of the same training."""

    kind: Literal["rewind"] = "rewind"
    network: ArtifactKey
    channels: ArtifactKey = Field(description="The channel groups of both.")
    pruned: ArtifactKey = Field(description="What the other task left.")


class PruneParams(StageParams):
    """Parameters of `prune`."""

    procedure: Annotated[ChannelPruning | WeightPruning | ChannelRewinding, Field(discriminator="kind")]


class ReconstructParams(StageParams):
    """Parameters of `reconstruct`."""

    network: ArtifactKey
    widths: WidthParams
    how: Literal["thinet", "lasso"]
    images: CalibrationParams
    batch_size: int = Field(ge=1)
