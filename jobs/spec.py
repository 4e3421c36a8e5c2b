"""The sweep file as frozen, validated records.

Types, ranges, known names and what must agree with what; field descriptions are the reference of the sweep file.
Nothing here reads a file.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from jobs import checks, names

Compression = Annotated[float, Field(ge=0.0, lt=1.0), AfterValidator(checks.whole_percent)]
Compressions = Annotated[tuple[Compression, ...], AfterValidator(checks.not_empty), AfterValidator(checks.no_repeats)]
Location = Annotated[str, AfterValidator(checks.absolute)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=80)]


class Record(BaseModel):
    """Base of all parts of a sweep file: frozen, strict types, no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class NormalizeSpec(Record):
    """Normalisation of the images, per image channel."""

    mean: tuple[float, ...] = Field(description="Subtracted from each channel; pixels are in [0, 1].")
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(description="Then each channel is divided by it.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.mean) != len(self.std):
            raise checks.fault("mean and std have different lengths; give one of each per image channel")
        return self


class DataSpec(Record):
    """The data set that every model of the sweep is trained, tuned and evaluated on."""

    dataset: Annotated[str, AfterValidator(checks.known_or_own(names.DATASETS))] = Field(
        description="A data set of ours, or your own `package.module:callable`."
    )
    root: Location | None = Field(default=None, description="Folder that holds the data, as every worker sees it.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the data set.")
    normalize: NormalizeSpec | None = Field(default=None, description="Default: none, pixels stay in [0, 1].")
    fingerprint: str | None = Field(
        default=None, description="Names the content where the driver cannot read `root`; default: read off the files."
    )
    batch_size: int = Field(default=256, ge=1, description="Images per batch in evaluation.")
    test_images: int | None = Field(
        default=None, ge=1, description="Evaluate on the first so many images of the test split; default: all."
    )

    @model_validator(mode="after")
    def _has_root(self) -> Self:
        if self.root is None and self.dataset in set(names.DATASETS) - set(names.DATASETS_WITHOUT_ROOT):
            raise checks.fault(f"has no root; say in which folder {self.dataset} lies (data.root=FOLDER)")
        return self


class TrainSpec(Record):
    """Training from scratch: SGD on cross-entropy. The defaults are those of Rethinking, section 5 (CIFAR)."""

    epochs: int = Field(ge=1, description="Passes over the training split.")
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["step", "cosine", "constant"] = Field(
        default="step", description="`step`: a tenth at 50 % and again at 75 % of the epochs."
    )
    warmup_epochs: int = Field(default=0, ge=0)
    augment: Literal["none", "crop-flip"] = "none"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    nesterov: bool = False

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise checks.fault(f"warmup_epochs ({self.warmup_epochs}) must be less than epochs ({self.epochs})")
        return self


class ModelSpec(Record):
    """A network and where its weights come from: a checkpoint or training."""

    network: Annotated[str, AfterValidator(checks.network)] = Field(
        description="A network of our zoo, `torchvision:NAME`, or your own `package.module:callable`."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the network.")
    weights: Location | None = Field(default=None, description="URI of a checkpoint (.safetensors, .pt, .pth).")
    train: TrainSpec | None = Field(default=None, description="How to train it, where there is no checkpoint.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.weights is None and self.train is None:
            raise checks.fault("has no weights; give `weights` (URI of a checkpoint) or a `train` block")
        if self.weights is not None and self.train is not None:
            raise checks.fault("has both `weights` and `train`; keep one of them")
        return self


class OrderingSpec(Record):
    """How the channels of each group are ordered before they become a function (INN, section 3.3)."""

    method: Literal["tsp", "identity", "random", "norm", "spectral"] = Field(
        default="tsp",
        description="`tsp`: the shortest path through the channels. Its controls: `identity`; `random`; `norm`: sorted "
        "by the l1 norm of their slices; `spectral`: along the Fiedler vector of their similarities.",
    )
    metric: Literal["l1", "l2", "cosine"] = Field(
        default="l1", description="Distance between the slices of two channels."
    )
    normalize: Literal["none", "tensor"] = Field(
        default="none", description="`tensor`: the slices of every tensor count the same, whatever its scale."
    )
    effort: Literal["fast", "standard", "thorough"] = Field(
        default="standard", description="How much work the solver may do."
    )


class IntegralTrainSpec(TrainSpec):
    """Training of an integral network at all sizes at once (INN, algorithm 1; pipeline A)."""

    smallest: float = Field(default=0.5, gt=0, le=1, description="Smallest size drawn, as a fraction of the width.")
    start: Literal["network", "scratch"] = Field(
        default="network",
        description="`network`: from the model's own weights, permuted; `scratch`: from random ones in any order, with "
        "batch norms that are functions, too.",
    )


class TuneSpec(Record):
    """Partition tuning (INN, section 3.4): the nodes move, the weights stay."""

    steps: int = Field(default=60, ge=1, description="Optimizer steps.")
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=0.003, gt=0, description="Of Adam, with cosine decay.")
    samples: int = Field(default=1024, ge=1, description="Training images it may see.")
    holdout: int = Field(default=512, ge=1, description="Validation images that choose the best state.")
    biases: bool = Field(default=False, description="Tune the biases too.")
    target: Literal["labels", "dense"] = Field(
        default="labels", description="`dense`: the dense network's outputs; needs no labels."
    )


Allocation = Annotated[
    Literal["uniform", "least-error"],
    Field(
        description="How much of which group goes. `uniform`: the same fraction of each; `least-error`: where the "
        "weights change least per parameter saved."
    ),
]


Recalibration = Annotated[
    Annotated[int, Field(ge=2)] | None,
    Field(
        description="Training images, without labels, on which the statistics of the batch norms are estimated anew in "
        "the smaller network; default: they stay."
    ),
]


class DenseMethod(Record):
    """The network as it is: the control of every sweep."""

    kind: Literal["dense"]


class ScoreSpec(Record):
    """The training images that a criterion's scores rest on. Criteria with equal settings share one pass over them."""

    images: int | None = Field(
        default=None,
        ge=1,
        description="How many, chosen by the seed. Default: all for statistics of activations, "
        + ", ".join(f"{count} for {name}" for name, count in names.OBSERVATIONS.items() if count)
        + ".",
    )
    batch_size: int = Field(default=128, ge=1, description="Images per batch.")


class CriterionMethod(Record):
    """Score the channels, remove the lowest, no training (INN's pipeline C)."""

    kind: Literal["criterion"]
    criterion: Annotated[str, AfterValidator(checks.known_or_own(names.CRITERIA))] = Field(
        description=f"What a channel is worth: {', '.join(f'`{name}`' for name in names.CRITERIA)}; "
        "or your own `package.module:callable`."
    )
    observation: Annotated[str, AfterValidator(checks.known_or_own(names.OBSERVATIONS))] | None = Field(
        default=None,
        description="For a criterion of your own: the pass over data that it reads, "
        + ", ".join(f"`{name}`" for name in names.OBSERVATIONS)
        + " or your own `package.module:callable`; default: none.",
    )
    score: ScoreSpec | None = Field(default=None, description="The data, for criteria that look at data.")
    allocation: Allocation = "uniform"
    recalibrate: Recalibration = None
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")

    @model_validator(mode="after")
    def _data_where_needed(self) -> Self:
        if self.observation is not None and self.criterion in names.CRITERIA:
            raise checks.fault(f"{self.criterion} says itself what it reads; remove `observation`")
        if self.score is not None and self.reads is None:
            raise checks.fault(f"{self.criterion} looks at no data; remove `score`")
        return self

    @property
    def reads(self) -> str | None:
        """The observation that the criterion reads; None where weights are enough."""
        return names.CRITERIA.get(self.criterion, self.observation)

    @property
    def num_images(self) -> int | None:
        """How many training images are observed; None for all."""
        asked = self.score.images if self.score else None
        return asked or names.OBSERVATIONS.get(self.reads or "")


class IntegralMethod(Record):
    """An integral network: permute, interpolate, resample (INN's pipeline B; without `tune` it sees no data)."""

    kind: Literal["integral"]
    batchnorm: Literal["fold", "keep"] = Field(
        default="fold",
        description="`fold`: into the convolution before it, where there is one; `keep`: scale, shift and statistics "
        "are functions like the weights.",
    )
    ordering: OrderingSpec = OrderingSpec()
    train: IntegralTrainSpec | None = Field(default=None, description="Train it at all sizes before it is resampled.")
    partition: Literal["adaptive", "curvature", "uniform"] = Field(
        default="adaptive",
        description="`adaptive`: like neighbours share a cell; `curvature`: narrow cells where the functions bend; "
        "`uniform`: cells of equal width.",
    )
    quadrature: Literal["product", "midpoint", "trapezoid", "simpson"] = Field(
        default="product", description="On the input axes; `midpoint` is the better one for a uniform partition."
    )
    allocation: Allocation = "uniform"
    tune: TuneSpec | None = Field(default=None, description="Tune the partition on a few batches.")
    recalibrate: Recalibration = None
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")

    @model_validator(mode="after")
    def _norms_to_recalibrate(self) -> Self:
        if self.recalibrate is not None and not self.keeps_batchnorm:
            raise checks.fault("recalibrates batch norms that are folded away; set batchnorm: keep")
        return self

    @property
    def keeps_batchnorm(self) -> bool:
        """Whether batch norms stay; training from scratch needs them."""
        return self.batchnorm == "keep" or (self.train is not None and self.train.start == "scratch")


METHOD_KINDS = ("dense", "criterion", "integral")
MethodSpec = Annotated[DenseMethod | CriterionMethod | IntegralMethod, Field(discriminator="kind")]


class ResourcesSpec(Record):
    """What each task of a stage asks of the cluster."""

    num_cpus: float = Field(default=1.0, gt=0)
    num_gpus: float | None = Field(
        default=None, ge=0, description="Default: 1 for `train`, a quarter for the other GPU stages, on `cuda`."
    )
    memory_bytes: int = Field(default=0, ge=0, description="Memory to reserve; 0 reserves none.")


class StagesSpec(Record):
    """Resources per stage."""

    train: ResourcesSpec = ResourcesSpec()
    convert: ResourcesSpec = ResourcesSpec()
    order: ResourcesSpec = ResourcesSpec()
    permute: ResourcesSpec = ResourcesSpec()
    observe: ResourcesSpec = ResourcesSpec()
    score: ResourcesSpec = ResourcesSpec()
    tune: ResourcesSpec = ResourcesSpec()
    prune: ResourcesSpec = ResourcesSpec()
    recalibrate: ResourcesSpec = ResourcesSpec()
    evaluate: ResourcesSpec = ResourcesSpec()


class BudgetSpec(Record):
    """Where a sweep stops by itself: nothing more is submitted, what runs is awaited, what is done is kept."""

    gpu_hours: float | None = Field(
        default=None, gt=0, description="GPU-hours of the whole sweep, all its runs together; default: no cap."
    )
    wall_hours: float | None = Field(default=None, gt=0, description="Hours of one run; default: no cap.")


class SweepSpec(Record):
    """One sweep: models x methods x compressions x seeds on one data set."""

    name: Name = Field(description="Also the MLflow experiment.")
    storage: str = Field(default="~/.orchard/store", description="URI of the store, as every worker sees it.")
    tracking: str = Field(default="sqlite:///~/.orchard/mlflow.db", description="MLflow's tracking URI.")
    seeds: Annotated[tuple[Seed, ...], AfterValidator(checks.not_empty), AfterValidator(checks.no_repeats)] = Field(
        default=(0,), description="One curve for each."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="`auto`: cuda where the cluster has GPUs when the sweep starts, or is known to start some.",
    )
    data: DataSpec
    compressions: Compressions | None = Field(
        default=None, description="Fractions of all parameters to remove, in steps of 0.01, for every method."
    )
    models: Annotated[dict[Name, ModelSpec], AfterValidator(checks.not_empty)]
    methods: Annotated[dict[Name, MethodSpec], AfterValidator(checks.not_empty)]
    resources: StagesSpec = StagesSpec()
    priority: int = Field(
        default=0,
        ge=-100,
        le=100,
        description="Of sweeps that run on one cluster with one store, those of higher priority go first; "
        "equal ones share it evenly.",
    )
    budget: BudgetSpec = BudgetSpec()

    @model_validator(mode="after")
    def _every_method_has_compressions(self) -> Self:
        without = [name for name in self.methods if not self.compressions_of(name)]
        if without:
            raise checks.fault(f"no compressions for {', '.join(without)}; give them there or for the whole sweep")
        return self

    def compressions_of(self, method: str) -> tuple[float, ...]:
        """The compressions that a method is asked for: its own, else the sweep's; 0 alone for `dense`."""
        spec = self.methods[method]
        if isinstance(spec, DenseMethod):
            return (0.0,)
        return spec.compressions or self.compressions or ()
