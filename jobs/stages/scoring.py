"""Parameters of the stages that analyse a network before pruning: observe, score, sense, profile."""

from pydantic import Field

from jobs.spec.base import Record
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import CalibrationParams, Shrinking


class ObserveParams(StageParams):
    """Parameters of `observe`."""

    network: ArtifactKey
    observation: str = Field(description="One of ours, or the user's own `package.module:callable`.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")
    images: CalibrationParams
    batch_size: int = Field(ge=1)


class Observed(Record):
    """The result of a calibration pass that a criterion reads."""

    observation: str
    artifact: ArtifactKey


class ScoreParams(StageParams):
    """Parameters of `score`."""

    network: ArtifactKey
    criterion: str = Field(description="One of ours, or the user's own `package.module:callable`.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")
    observed: Observed | None = Field(default=None, description="None: weights only.")


class SenseParams(StageParams):
    """Parameters of `sense`."""

    network: ArtifactKey
    how: Shrinking
    fractions: tuple[float, ...] = Field(description="Fractions of its width to which each group alone is cut.")
    images: CalibrationParams
    batch_size: int = Field(ge=1)


class ProfileParams(StageParams):
    """Parameters of `profile`."""

    network: ArtifactKey
    batch_size: int = Field(ge=1, description="Images per forward pass.")
