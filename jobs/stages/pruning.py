"""Parameters of the stages that prune a network, and of partition tuning: tune, prune, reconstruct."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from jobs.rounds import Schedule
from jobs.spec.integral import TuneSpec
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import (
    CLASSIFICATION,
    CalibrationParams,
    DatasetParams,
    ObjectiveParams,
    Resampling,
    Shrinking,
    WidthParams,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneParams(StageParams):
    """Parameters of `tune`."""

    network: ArtifactKey
    widths: WidthParams
    how: Resampling
    tune: TuneSpec
    data: DatasetParams
    objective: ObjectiveParams = CLASSIFICATION

    @property
    def revision(self) -> int | None:
        """That of the widths."""
        return self.widths.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPruning:
    """Whole channels go.

    Attributes:
        tuned: A tuned partition to resample at.
        images: Images on which the dense network's statistics are measured and matched; None: they are not.
    """

    kind: Literal["channels"] = "channels"
    network: ArtifactKey
    widths: WidthParams
    how: Shrinking
    tuned: ArtifactKey | None = None
    images: CalibrationParams | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightPruning:
    """Single weights become zero.

    Attributes:
        rewound: The network whose values the weights that are left return to.
        linear: Linear layers lose weights, too.
        compression: Fraction of all parameters to remove.
        round: Which one of the rounds it is.
        schedule: How much goes in which round; None: geometric.
    """

    kind: Literal["weights"] = "weights"
    network: ArtifactKey
    rewound: ArtifactKey | None = None
    scope: Literal["global", "layer"]
    linear: bool
    compression: float
    round: int = 1
    rounds: int = 1
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRewinding:
    """The channels that another task removed are removed from an earlier network of the same training.

    Attributes:
        channels: The channel groups of both.
        pruned: What the other task left.
    """

    kind: Literal["rewind"] = "rewind"
    network: ArtifactKey
    channels: ArtifactKey
    pruned: ArtifactKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneParams(StageParams):
    """Parameters of `prune`."""

    procedure: Annotated[ChannelPruning | WeightPruning | ChannelRewinding, Field(discriminator="kind")]

    @property
    def revision(self) -> int | None:
        """2 where images are matched, which norms that stay forgot all others for; else that of the widths, if any."""
        if not isinstance(self.procedure, ChannelPruning):
            return None
        return 2 if self.procedure.images is not None else self.procedure.widths.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructParams(StageParams):
    """Parameters of `reconstruct`."""

    network: ArtifactKey
    widths: WidthParams
    how: Literal["thinet", "lasso"]
    images: CalibrationParams
    batch_size: int

    @property
    def revision(self) -> int | None:
        """That of the widths."""
        return self.widths.revision
