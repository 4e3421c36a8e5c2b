"""Methods that resample integral networks (Integral Neural Networks, CVPR 2023)."""

from typing import Literal, Self

from pydantic import Field, model_validator

from jobs import checks
from jobs.spec.allocation import AllocationField, UniformAllocation, check_compressions, check_needs
from jobs.spec.base import Compressions, Record
from jobs.spec.distillation import DistillSpec, features_conflict
from jobs.spec.execution import ChannelsLastField, CompileField
from jobs.spec.method import ChannelMethod
from jobs.spec.training import TrainSpec


class OrderingSpec(Record):
    """How the channels of each group are ordered before interpolation (INN, section 3.3)."""

    method: Literal["tsp", "identity", "random", "norm", "spectral"] = Field(
        default="tsp",
        description="`tsp`: the shortest path through the channels. Controls: `identity`; `random`; `norm`: by the l1 "
        "norm of their slices; `spectral`: by the Fiedler vector of their similarities.",
    )
    metric: Literal["l1", "l2", "cosine"] = Field(
        default="l1", description="Distance between the slices of two channels."
    )
    normalize: Literal["none", "tensor"] = Field(
        default="none", description="`tensor`: normalise each tensor, so that all count the same."
    )
    effort: Literal["fast", "standard", "thorough"] = Field(
        default="standard", description="Solver limits, in counts of work, not in seconds."
    )
    choice: Literal["shortest", "reconstruction", "output"] = Field(
        default="shortest",
        description="Which of the near-optimal orders to use, for each compression: `shortest`; `reconstruction`: "
        "smallest reconstruction error of the weights after resampling, without data; `output`: smallest change of the "
        "network's output, on calibration images without labels.",
    )
    pool: int = Field(default=8, ge=2, description="Orders per group to choose from; some groups have fewer.")
    images: int = Field(default=128, ge=1, description="Calibration images for `choice: output`, drawn by the seed.")

    @model_validator(mode="after")
    def _choice_among_shortest(self) -> Self:
        if self.choice != "shortest" and self.method != "tsp":
            raise checks.fault(f"choice: {self.choice} needs method: tsp; {self.method} is one order, with no pool")
        return self


class IntegralTrainSpec(TrainSpec):
    """Training of an integral network at all sizes at once (INN, algorithm 1; pipeline A)."""

    smallest: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Smallest size sampled, as a fraction of the width. Sizes below those that are wanted can "
        "cost accuracy at all others; 40 % of the parameters are removed at about 0.77.",
    )
    start: Literal["network", "scratch"] = Field(
        default="network",
        description="`network`: from the model's own weights, permuted; `scratch`: from random weights without "
        "reordering, and with continuous batch norms.",
    )

    @model_validator(mode="after")
    def _sizes_change(self) -> Self:
        if self.compile:
            raise checks.fault("an integral network has other sizes at every step; remove `compile`")
        if self.distill is not None and self.distill.features is not None:
            raise checks.fault(
                "an integral network has other layers at every step, which cannot be read; remove distill.features"
            )
        return self


class TuneSpec(Record):
    """Partition tuning (INN, section 3.4): optimises the nodes; the weights are fixed."""

    steps: int = Field(default=60, ge=1, description="Optimizer steps.")
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=0.003, gt=0, description="Of Adam, with cosine decay.")
    samples: int = Field(default=1024, ge=1, description="Number of training images.")
    holdout: int = Field(
        default=512,
        ge=1,
        description="Number of validation images for choosing the best state: by the primary metric, "
        "then by the loss; for `target: dense` by the loss.",
    )
    biases: bool = Field(default=False, description="Tune the biases too.")
    target: Literal["labels", "dense"] = Field(
        default="labels",
        description="`labels`: the targets of the data set; `dense`: distillation from the dense network's outputs, "
        "without labels.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        exclude_if=lambda value: value == "float32",
        description="What the networks compute in; `bfloat16` by torch's autocast.",
    )
    channels_last: ChannelsLastField = False
    compile: CompileField = False
    distill: DistillSpec | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Distillation from the dense network beside the labels, or of features; default: none.",
    )

    @model_validator(mode="after")
    def _learns_from_the_dense_network_once(self) -> Self:
        if self.distill is not None and self.target == "dense":
            raise checks.fault("target: dense is distillation already, of weight 1; remove it, or `distill`")
        return self

    @model_validator(mode="after")
    def _features_can_be_read(self) -> Self:
        if problem := features_conflict(self.distill, self):
            raise checks.fault(problem)
        return self


class IntegralMethod(ChannelMethod):
    """An integral network: permute, interpolate, resample (INN's pipeline B; without `tune` it sees no data)."""

    kind: Literal["integral"]
    batchnorm: Literal["fold", "keep"] | None = Field(
        default=None,
        description="`fold`: into the preceding convolution, where there is one, until a protocol trains the network; "
        "`keep`: scale, shift and statistics are continuous like the weights. Default: `keep` for networks that "
        "`train` trains, else `fold`.",
    )
    ordering: OrderingSpec = OrderingSpec()
    coefficients: float = Field(
        default=1.0,
        gt=0,
        le=1,
        exclude_if=lambda value: value == 1,
        description="Of a channel group's functions, per channel. Below 1 the network becomes the nearest one with so "
        "few, at every size: what that costs says how smooth its channels are.",
    )
    train: IntegralTrainSpec | None = Field(default=None, description="Train it at all sizes before it is resampled.")
    partition: Literal["adaptive", "curvature", "refined", "uniform"] = Field(
        default="adaptive",
        description="`adaptive`: similar neighbours share a cell; `curvature`: narrow cells where the functions curve "
        "most; `refined`: cells are halved where two quadrature rules disagree most; `uniform`: cells of equal width.",
    )
    quadrature: Literal["product", "midpoint", "trapezoid", "simpson", "means"] = Field(
        default="product",
        description="On the input axes; prefer `midpoint` for a uniform partition. `means` samples the output axes, "
        "too: it takes the mean of the channels in each cell instead of an interpolated value; for `repair: variance`.",
    )
    repair: Literal["none", "variance", "statistics"] = Field(
        default="none",
        exclude_if=lambda value: value == "none",  # sweeps are those from before there was a choice
        description="Gives the outputs of layers the variance that resampling takes. `variance`: from weights and "
        "batch norms, without data, also while the partition is tuned; best with `quadrature: means`. `statistics`: "
        "mean and variance of every output as the dense network has them on a few images without labels.",
    )
    repair_images: int = Field(
        default=256,
        ge=2,
        exclude_if=lambda value: value == 256,
        description="Training images for `repair: statistics`, drawn by the seed.",
    )
    allocation: AllocationField = UniformAllocation()
    tune: TuneSpec | None = Field(default=None, description="Tune the partition on a few batches.")
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")

    @model_validator(mode="after")
    def _allocation_fits(self) -> Self:
        check_compressions(self.allocation, self.compressions)
        check_needs(self.allocation, {"scores": "integral methods score no channels"})
        return self

    @model_validator(mode="after")
    def _trained_networks_keep_one_order(self) -> Self:
        if self.train is not None and self.ordering.choice != "shortest":
            raise checks.fault(
                "a network trained at all sizes keeps one order; remove `ordering.choice` or remove `train`"
            )
        return self

    @model_validator(mode="after")
    def _smooth_functions_have_one_order(self) -> Self:
        if self.coefficients < 1 and self.ordering.choice != "shortest":
            raise checks.fault("functions of fewer coefficients have one order; remove `ordering.choice`")
        if self.coefficients < 1 and self.train is not None:
            raise checks.fault("training gives every channel a coefficient again; remove `coefficients`, or `train`")
        follows_dense = self.repair == "statistics" or (self.tune is not None and self.tune.target == "dense")
        if self.coefficients < 1 and follows_dense:
            raise checks.fault(
                "repair: statistics and tuning with target: dense would follow the network of fewer coefficients, not "
                "the dense one; remove `coefficients`, or these"
            )
        return self

    @model_validator(mode="after")
    def _repairs_what_it_knows(self) -> Self:
        if self.repair != "statistics" and self.repair_images != type(self).model_fields["repair_images"].default:
            raise checks.fault(
                f"repair: {self.repair} reads no images; remove `repair_images`, or set repair: statistics"
            )
        if self.repair == "variance" and self.train is not None and not self.keeps_batchnorm:
            raise checks.fault(
                "repair: variance reads what batch norms know, and training at all sizes makes what folded ones knew "
                "untrue; remove batchnorm: fold, or use repair: statistics"
            )
        return self

    @model_validator(mode="after")
    def _training_from_scratch_keeps_norms(self) -> Self:
        if self.train is not None and self.train.start == "scratch" and not self.keeps_batchnorm:
            raise checks.fault(
                "training from scratch needs the batch norms, whose statistics random weights do not have yet; remove "
                "batchnorm: fold"
            )
        return self

    @property
    def keeps_batchnorm(self) -> bool:
        """Whether batch norms are kept."""
        return self.batchnorm == "keep" or (self.batchnorm is None and self.train is not None)
