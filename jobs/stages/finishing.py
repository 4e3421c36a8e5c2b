"""Parameters of the stages that follow pruning: protocols and evaluation."""

from dataclasses import dataclass, field
from typing import Any, Literal

from jobs.spec.attack import AttackSpec
from jobs.spec.measure import GateSpec, LatencySpec, QuantizeSpec
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import CLASSIFICATION, CalibrationParams, DatasetParams, ObjectiveParams


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalibrateParams(StageParams):
    """Parameters of `recalibrate`."""

    network: ArtifactKey
    images: CalibrationParams
    batch_size: int


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
        num_images: The first so many, of every named test set; None: all.
    """

    network: ArtifactKey
    data: DatasetParams
    objective: ObjectiveParams = CLASSIFICATION
    split: Literal["validation", "test"] = "test"
    num_images: int | None = None
    batch_size: int
    measure: GateSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackParams(StageParams):
    """Parameters of `attack`.

    Attributes:
        split: Whose first images are attacked.
        library: The package that attacks and its version, where it is not our own.
    """

    network: ArtifactKey
    data: DatasetParams
    objective: ObjectiveParams = CLASSIFICATION
    split: Literal["validation", "test"] = "test"
    batch_size: int
    attacks: AttackSpec
    library: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportParams(StageParams):
    """Parameters of `export`.

    Attributes:
        onnx: Versions of what writes and checks the graph.
    """

    network: ArtifactKey
    onnx: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeParams(StageParams):
    """Parameters of `quantize`.

    Attributes:
        graph: The network as an ONNX graph.
        images: Those that the ranges of activations come from.
        num_images: Evaluated: the first so many of the test split; None: all.
        onnx: Versions of what quantises and runs the graph.
    """

    graph: ArtifactKey
    quantization: QuantizeSpec
    images: CalibrationParams
    objective: ObjectiveParams = CLASSIFICATION
    num_images: int | None = None
    batch_size: int
    onnx: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedNetwork:
    """A network to be timed.

    Attributes:
        network: Its tensors.
        graph: The same as an ONNX graph, where ONNX Runtime is among the runtimes.
        quantized: The same in 8 bits, where it was quantised.
    """

    network: ArtifactKey
    graph: ArtifactKey | None = None
    quantized: ArtifactKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeParams(StageParams):
    """Parameters of `time`.

    Attributes:
        dense: The model's own network, timed in turn with it.
        onnx: Version of ONNX Runtime, where it is among the runtimes.
    """

    timed: TimedNetwork
    dense: TimedNetwork
    latency: LatencySpec
    onnx: str | None = None
