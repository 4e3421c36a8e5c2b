"""Parameters of the stages that look at a network before it is made smaller."""

from pydantic import Field

from jobs.spec.base import Record
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import CalibrationParams, ObjectiveParams, Shrinking


class ObserveParams(StageParams):
    """Parameters of `observe`."""

    network: ArtifactKey
    observation: str = Field(description="One of ours, or the user's own `package.module:callable`.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")
    images: CalibrationParams
    batch_size: int = Field(ge=1)
    objective: ObjectiveParams = ObjectiveParams()


class Observed(Record):
    """A calibration pass that a criterion reads."""

    observation: str
    artifact: ArtifactKey


class ScoreParams(StageParams):
    """Parameters of `score`."""

    network: ArtifactKey
    criterion: str = Field(description="One of ours, or the user's own `package.module:callable`.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")
    observed: Observed | None = Field(default=None, description="None where weights are enough.")


class SenseParams(StageParams):
    """Parameters of `sense`."""

    network: ArtifactKey
    how: Shrinking
    fractions: tuple[float, ...] = Field(description="Of a group's width, to which it alone is cut.")
    images: CalibrationParams
    batch_size: int = Field(ge=1)
    objective: ObjectiveParams = ObjectiveParams()


class ProfileParams(StageParams):
    """Parameters of `profile`."""

    network: ArtifactKey
    batch_size: int = Field(ge=1, description="Images in a pass.")
