"""Parameters of the stages that analyse a network before pruning: observe, score, sense, profile."""

from dataclasses import dataclass

from jobs.spec.measure import Runtime
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import CLASSIFICATION, CalibrationParams, ObjectiveParams, Shrinking


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveParams(StageParams):
    """Parameters of `observe`.

    Attributes:
        observation: One of ours, or the user's own `package.module:callable`.
        source: Fingerprint of the user's own module.
    """

    network: ArtifactKey
    observation: str
    source: str | None = None
    images: CalibrationParams
    batch_size: int
    objective: ObjectiveParams = CLASSIFICATION

    @property
    def revision(self) -> int | None:
        """2 for removals: among channels that are normalised together they left zeros in the statistics."""
        return 2 if self.observation == "removals" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A calibration pass that a criterion reads."""

    observation: str
    artifact: ArtifactKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreParams(StageParams):
    """Parameters of `score`.

    Attributes:
        criterion: One of ours, or the user's own `package.module:callable`.
        source: Fingerprint of the user's own module.
        observed: None where weights are enough.
    """

    network: ArtifactKey
    criterion: str
    source: str | None = None
    observed: Observed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SenseParams(StageParams):
    """Parameters of `sense`.

    Attributes:
        fractions: Of a group's width, to which it alone is cut, by one channel at least.
    """

    network: ArtifactKey
    how: Shrinking
    fractions: tuple[float, ...]
    images: CalibrationParams
    batch_size: int
    objective: ObjectiveParams = CLASSIFICATION


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileParams(StageParams):
    """Parameters of `profile`.

    Attributes:
        batch_size: Images in a pass.
        runtime: What runs the layers.
        threads: CPU threads of a pass; None: as many as torch has.
        machine: The user's word for what is profiled.
        onnx: Version of ONNX Runtime, where that runs them.
    """

    network: ArtifactKey
    batch_size: int
    runtime: Runtime = "eager"
    threads: int | None = None
    machine: str | None = None
    onnx: str | None = None
