"""Parameters of the stages that prune a network, and of partition tuning: tune, prune, reconstruct."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.spec.base import Record
from jobs.spec.integral import TuneSpec
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import CalibrationParams, DatasetParams, Resampling, Shrinking, WidthParams


class TuneParams(StageParams):
    """Parameters of `tune`."""

    network: ArtifactKey
    widths: WidthParams
    how: Resampling
    tune: TuneSpec
    data: DatasetParams


class ChannelPruning(Record):
    """Structured pruning: whole channels are removed."""

    kind: Literal["channels"] = "channels"
    network: ArtifactKey
    widths: WidthParams
    how: Shrinking
    tuned: ArtifactKey | None = Field(default=None, description="A tuned partition to resample at.")


class WeightPruning(Record):
    """Unstructured pruning: single weights are set to zero."""

    kind: Literal["weights"] = "weights"
    network: ArtifactKey
    rewound: ArtifactKey | None = Field(
        default=None, description="The network to whose values the remaining weights are reset."
    )
    scope: Literal["global", "layer"]
    linear: bool = Field(description="Prune linear layers, too.")
    compression: float = Field(ge=0, lt=1, description="Fraction of all parameters to remove.")
    round: int = Field(default=1, ge=1, description="Number of this round.")
    rounds: int = Field(default=1, ge=1)


class ChannelRewinding(Record):
    """Weight rewinding: the pruned network's channels are removed from an earlier network of the same training."""

    kind: Literal["rewind"] = "rewind"
    network: ArtifactKey
    channels: ArtifactKey = Field(description="The channel groups of both networks.")
    pruned: ArtifactKey = Field(description="The pruned network.")


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
