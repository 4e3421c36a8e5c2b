"""Parameters of the stages that follow pruning: protocols and evaluation."""

from typing import Any, Literal

from pydantic import Field

from jobs.spec.measure import MeasureSpec
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import CalibrationParams, DatasetParams


class RecalibrateParams(StageParams):
    """Parameters of `recalibrate`."""

    network: ArtifactKey
    images: CalibrationParams


class RepairParams(StageParams):
    """Parameters of `repair`."""

    network: ArtifactKey
    dense: ArtifactKey = Field(description="The network before pruning.")
    images: CalibrationParams
    batch_size: int = Field(ge=1)


class ApplyParams(StageParams):
    """Parameters of `apply`."""

    network: ArtifactKey
    protocol: str = Field(description="The user's own `package.module:callable`.")
    source: str | None = Field(default=None, description="Fingerprint of its module.")
    arguments: dict[str, Any] = Field(default_factory=dict)
    needs: tuple[Literal["images", "labels", "dense"], ...] = ()
    dense: ArtifactKey | None = Field(default=None, description="The dense network, if it is among `needs`.")
    data: DatasetParams | None = Field(default=None, description="If images or labels are among `needs`.")


class EvaluateParams(StageParams):
    """Parameters of `evaluate`."""

    network: ArtifactKey
    data: DatasetParams
    split: Literal["validation", "test"] = "test"
    num_images: int | None = Field(default=None, ge=1, description="Evaluate on the first images only; None: all.")
    batch_size: int = Field(ge=1)
    measure: MeasureSpec
