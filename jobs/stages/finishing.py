"""Parameters of the stages that follow pruning: protocols and evaluation."""

from dataclasses import dataclass, field
from typing import Any, Literal

from jobs.spec.measure import MeasureSpec
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import CLASSIFICATION, CalibrationParams, DatasetParams, ObjectiveParams


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalibrateParams(StageParams):
    """Parameters of `recalibrate`."""

    network: ArtifactKey
    images: CalibrationParams


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairParams(StageParams):
    """Parameters of `repair`.

    Attributes:
        dense: The network that it lost channels of.
    """

    network: ArtifactKey
    dense: ArtifactKey
    images: CalibrationParams
    batch_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyParams(StageParams):
    """Parameters of `apply`.

    Attributes:
        protocol: The user's own `package.module:callable`.
        source: Fingerprint of its module.
        dense: The model's own network, where it needs that.
        data: Where it needs images or labels.
    """

    network: ArtifactKey
    protocol: str
    source: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    needs: tuple[Literal["images", "labels", "dense"], ...] = ()
    dense: ArtifactKey | None = None
    data: DatasetParams | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateParams(StageParams):
    """Parameters of `evaluate`.

    Attributes:
        num_images: The first so many; None: all.
    """

    network: ArtifactKey
    data: DatasetParams
    objective: ObjectiveParams = CLASSIFICATION
    split: Literal["validation", "test"] = "test"
    num_images: int | None = None
    batch_size: int
    measure: MeasureSpec
