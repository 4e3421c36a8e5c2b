"""Training settings, shared by the sweep file and the parameters of tasks."""

from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from jobs import checks
from jobs.spec.augment import Augment
from jobs.spec.base import Fractions, Record
from jobs.spec.distillation import DistillSpec, features_conflict
from jobs.spec.execution import ChannelsLastField, CompileField, PrecisionField
from jobs.spec.settings import SETTINGS

Settings: TypeAlias = Literal[
    "cifar_rethinking",
    "imagenet_rethinking",
    "fine_tune",
    "cifar_fine_tune",
    "imagenet_fine_tune",
    "cifar_short",
    "imagenet_short",
    "super_resolution",
    "super_resolution_fine_tune",
    "segmentation",
    "segmentation_fine_tune",
    "detection",
    "detection_fine_tune",
]


class TrainSpec(Record):
    """Training: SGD on the objective's loss. The defaults are Rethinking's (section 5, CIFAR), without augmentation."""

    settings: Settings | None = Field(
        default=None, exclude=True, description="Named settings; values given beside them override them."
    )
    epochs: int = Field(ge=1, description="Training epochs; not needed where `settings` are named.")
    batch_size: int = Field(default=64, ge=2, description="At least 2, because batch norm needs it.")
    optimizer: Literal["sgd", "adam", "adamw", "muon"] = Field(
        default="sgd",
        exclude_if=lambda value: value == "sgd",  # the keys of tasks are those from before there was a choice
        description="`adam`, `adamw` (decoupled weight decay): with torch's defaults, `momentum` and `nesterov` are "
        "not used. `muon`: for the matrices of hidden linear layers, with rates that fit AdamW; the rest by `adamw`.",
    )
    fused: bool = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="One kernel for a step of `sgd`, `adam` and `adamw`; the last bits differ.",
    )
    learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)
    decay_norms_and_biases: bool = Field(
        default=True,
        exclude_if=lambda value: value,
        description="`false`: no weight decay for parameters of one axis or none, as those of norms, and biases.",
    )
    clip_gradients: float | None = Field(
        default=None,
        gt=0,
        description="Largest l2 norm of the gradient of all parameters together, with the penalties of `sparsify`; "
        "default: no limit.",
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        exclude_if=lambda value: value == 1,
        description="Batches per update of the weights; the gradient is that of one batch of all their samples.",
    )
    schedule: Literal["step", "cosine", "constant", "poly", "one-cycle", "linear"] = Field(
        default="step",
        description="`step`: multiplied by 0.1 at each milestone; `poly`: by (1 - epoch / epochs) ** 0.9; `linear`: by "
        "1 - epoch / epochs; `one-cycle`: from 1/25 up to the learning rate in 30 % of the epochs, and down to zero.",
    )
    milestones: Fractions = Field(
        default=(0.5, 0.75),
        strict=False,  # a list, also behind `_settings_first`, which pydantic does not take for JSON
        description="For `step`: increasing fractions of the epochs.",
    )
    warmup_epochs: int = Field(default=0, ge=0)
    augment: Augment = Field(
        default="none",
        description="An augmentation of the objective, a transform, or a list of several. "
        "Classification: `crop-flip` (pad by 4, random crop, random horizontal flip), `resized-crop-flip` (random "
        "resized crop of 8 to 100 % of the area, random horizontal flip), `flip` (horizontal), and every transform. "
        "Super-resolution: `flip-turn` (random flips "
        "and quarter turns). Segmentation: `flip` (horizontal), `scale-crop-flip` (scaled by 0.5 to 2, random crop, "
        "flip). Detection: `flip`.",
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="Of the cross-entropy of classification.")
    nesterov: bool = Field(default=False, description="Nesterov momentum; needs a `momentum` above 0.")
    precision: PrecisionField = "float32"
    channels_last: ChannelsLastField = False
    compile: CompileField = False
    ema: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Decay per update of an exponential moving average of weights and statistics (0.999, say). It is "
        "kept beside the last and the best weights, and evaluated, too; default: none.",
    )
    keep: Literal["last", "best", "ema"] = Field(
        default="last",
        exclude_if=lambda value: value == "last",
        description="Which weights the trained network has: those of the last or the best epoch, or the average.",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="Stop early, after so many epochs in which the primary metric on the validation split did not "
        "improve; default: never.",
    )
    distill: DistillSpec | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Distillation from the dense network, where a pruned one is trained; default: none.",
    )

    @model_validator(mode="before")
    @classmethod
    def _settings_first(cls, given: Any) -> Any:
        """The named settings, overridden by the given values."""
        if not isinstance(given, dict):
            return given
        name = given.get("settings", cls.model_fields["settings"].default)
        return {**SETTINGS.get(str(name), {}), **given}

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise checks.fault(f"warmup_epochs ({self.warmup_epochs}) must be less than epochs ({self.epochs})")
        return self

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise checks.fault("nesterov needs momentum above 0; set `momentum`, or remove `nesterov`")
        return self

    @model_validator(mode="after")
    def _one_cycle_rises_once(self) -> Self:
        if self.schedule == "one-cycle" and self.warmup_epochs:
            raise checks.fault("schedule one-cycle begins with a rise of its own; set warmup_epochs: 0")
        return self

    @model_validator(mode="after")
    def _kept_weights_exist(self) -> Self:
        if self.keep == "ema" and self.ema is None:
            raise checks.fault("keep: ema needs an average; give its decay as `ema`, 0.999, say")
        return self

    @model_validator(mode="after")
    def _features_can_be_read(self) -> Self:
        if problem := features_conflict(self.distill, self):
            raise checks.fault(problem)
        return self


class FineTuneSpec(TrainSpec):
    """Fine-tuning of a trained network. The defaults are those of Rethinking, section 5 (CIFAR), without augmentation.

    For objectives other than classification they are the settings named after the objective, `OBJECTIVE_fine_tune`.
    """

    settings: Settings | None = Field(
        default="fine_tune", exclude=True, description="Named settings; values given beside them override them."
    )


class Recipe(TrainSpec):
    """Training settings as a task runs them: which epochs of the schedule, too."""

    begin: int = Field(default=0, ge=0, description="Epochs of the schedule to skip at its beginning.")
    until: int | None = Field(default=None, description="The last epoch; default: the end of the schedule.")

    @classmethod
    def of(
        cls, spec: TrainSpec, *, begin: int = 0, until: int | None = None, distill: DistillSpec | None = None
    ) -> "Recipe":
        """The recipe for training settings of a sweep file; up to an epoch it ends with the weights of that one.

        Args:
            spec: The settings.
            begin: Epochs of the schedule to skip.
            until: The last epoch; None: the end of the schedule.
            distill: Distillation, where the settings are the model's own, which have none.
        """
        settings = {name: getattr(spec, name) for name in TrainSpec.model_fields}
        if distill is not None:
            settings |= {"distill": distill}
        if until is not None:
            settings |= {"keep": "last", "patience": None}
        return cls(**settings, begin=begin, until=until)

    def lasting(self, epochs: int) -> "Recipe":
        """The same recipe with another number of epochs, its milestones scaled alike."""
        return Recipe.model_validate({**self.model_dump(), "epochs": epochs})

    @property
    def loss_settings(self) -> dict[str, float]:
        """What the loss is told; nothing where it is to be as it is."""
        return {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}

    @property
    def last_epoch(self) -> int:
        """The epoch after which the training ends."""
        return self.epochs if self.until is None else self.until

    @model_validator(mode="after")
    def _some_epoch_is_left(self) -> Self:
        if not self.begin < self.last_epoch <= self.epochs:
            raise checks.fault(f"begin {self.begin} and until {self.until} leave no epoch of {self.epochs}")
        return self
