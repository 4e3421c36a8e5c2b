"""What is measured of every point besides its metrics, and which gates it has to pass."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from jobs import checks
from jobs.spec.attack import AttackSpec
from jobs.spec.base import Name, Record
from jobs.spec.execution import ChannelsLastField, CompileField, Precision, PrecisionField

Runtime = Literal["eager", "compile", "onnxruntime"]
"""What runs a network: torch itself, `torch.compile`, or ONNX Runtime on the exported graph."""

Runtimes = Annotated[
    tuple[Runtime, ...],
    BeforeValidator(checks.one_or_several),
    AfterValidator(checks.not_empty),
    AfterValidator(checks.no_repeats),
]
BatchSizes = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...],
    BeforeValidator(checks.one_or_several),
    AfterValidator(checks.not_empty),
    AfterValidator(checks.no_repeats),
]
Threads = Annotated[
    int | None, Field(ge=1, description="CPU threads of a pass; default: as many as the stage has CPUs (`resources`).")
]
Machine = Annotated[
    Name | None,
    Field(
        description="A word for the kind of machine that is timed: under another word all is timed anew. Default: "
        "none; times in the store count wherever they were measured, and a run says where."
    ),
]


class LatencySpec(Record):
    """Timed forward passes, the network and its dense one in turn, in one process.

    Other work on the device distorts them: give the stage `time` a device of its own (`resources`).
    """

    runtime: Runtimes = Field(
        default=("eager",), description="One or several: what runs the network; `compile`: torch.compile."
    )
    batch_size: BatchSizes = Field(default=(1,), description="Images per forward pass, one or several.")
    threads: Threads = None
    machine: Machine = None
    dtype: Precision = Field(
        default="float32", description="Type of weights and images; float32: each network in its own type."
    )
    warmup: int = Field(default=10, ge=0, description="Untimed passes first.")
    repeats: int = Field(default=50, ge=1, description="Timed passes of each network.")

    @model_validator(mode="after")
    def _runtime_has_the_type(self) -> Self:
        if self.dtype != "float32" and "onnxruntime" in self.runtime:
            raise checks.fault(
                f"dtype {self.dtype} is for the runtimes eager and compile; onnxruntime runs graphs in float32 (in 8 "
                "bits: `measure.quantize: [int8]`)"
            )
        return self


class GateSpec(Record):
    """How networks run when they are evaluated, and gates; where a network fails a gate, its point fails."""

    reload: bool = Field(
        default=True, description="Gate: reloaded from its files in a fresh process, its output is bit-identical."
    )
    export: bool = Field(default=False, description="Gate: `torch.export` succeeds, and the graph's output agrees.")
    precision: PrecisionField = "float32"
    channels_last: ChannelsLastField = False
    compile: CompileField = False


class QuantizeSpec(Record):
    """Static post-training quantisation by ONNX Runtime: 8-bit weights per channel, 8-bit activations."""

    images: int = Field(default=256, ge=1, description="Calibration images of the training split, drawn by the seed.")
    calibrate: Literal["minmax", "entropy", "percentile"] = Field(
        default="minmax", description="How the range of an activation follows from the calibration images."
    )
    reduce_range: bool = Field(
        default=True,
        description="Weights of 7 bits: processors without VNNI add products of 8 bits with saturation.",
    )


class MeasureSpec(GateSpec):
    """Measurements of every point, and its gates: where a network fails a gate, its point fails."""

    latency: LatencySpec | None = Field(default=None, description="Time forward passes; default: no timing.")
    quantize: Annotated[
        tuple[Literal["int8"], ...], BeforeValidator(checks.one_or_several), AfterValidator(checks.no_repeats)
    ] = Field(default=(), description="Quantise every network after pruning, and measure it as a further variant.")
    quantization: QuantizeSpec = QuantizeSpec()
    attack: AttackSpec | None = Field(default=None, description="Adversarial attacks on classifiers; default: none.")

    @property
    def gates(self) -> GateSpec:
        """What `evaluate` is told."""
        return GateSpec(**{name: getattr(self, name) for name in GateSpec.model_fields})

    @property
    def needs_onnx(self) -> bool:
        """Whether networks have to be expressed as ONNX graphs."""
        return bool(self.quantize) or (self.latency is not None and "onnxruntime" in self.latency.runtime)
