"""How networks are trained: the settings of a training, checked once, for the sweep file and for the workers."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from jobs import checks
from jobs.spec.base import Record
from jobs.spec.settings import SETTINGS

Settings: TypeAlias = Literal[
    "cifar_rethinking", "imagenet_rethinking", "cifar_fine_tune", "imagenet_fine_tune", "cifar_short", "imagenet_short"
]


class TrainSpec(Record):
    """Training: SGD on the objective's loss. The defaults are Rethinking's (section 5, CIFAR), without augmentation."""

    settings: Settings | None = Field(
        default=None, exclude=True, description="Values by name; what stands beside it goes before them."
    )
    epochs: int = Field(ge=1, description="Passes over the training split; `settings` say it, too.")
    batch_size: int = Field(default=64, ge=2, description="Batch norm cannot learn from one image.")
    learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["step", "cosine", "constant"] = Field(
        default="step", description="`step`: a tenth of what it was, at each milestone."
    )
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(0.5, 0.75),
        strict=False,  # a list, also behind `_settings_first`, which pydantic does not take for JSON
        description="Of `step`: rising fractions of the epochs.",
    )
    warmup_epochs: int = Field(default=0, ge=0)
    augment: Literal["none", "crop-flip", "resized-crop-flip"] = Field(
        default="none",
        description="`crop-flip`: padded by four, cut out at the old size, mirrored; `resized-crop-flip`: a part of 8 "
        "to 100 % of the area, scaled to the old size, mirrored.",
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="Of the cross-entropy of classification.")
    nesterov: bool = Field(default=False, description="Nesterov's momentum; needs a `momentum` above 0.")

    @model_validator(mode="before")
    @classmethod
    def _settings_first(cls, given: Any) -> Any:
        """The values of the settings, and over them what is given."""
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
    def _milestones_rise(self) -> Self:
        if any(low >= high for low, high in pairwise(self.milestones)):
            raise checks.fault(f"milestones {list(self.milestones)} do not rise; give each fraction once, in order")
        return self

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise checks.fault("nesterov needs momentum above 0; set `momentum`, or remove `nesterov`")
        return self


class FineTuneSpec(TrainSpec):
    """Training of a network that has learnt before. The defaults are those of Rethinking, section 5 (CIFAR)."""

    settings: Settings | None = Field(
        default="cifar_fine_tune", exclude=True, description="Values by name; what stands beside it goes before them."
    )


class Recipe(TrainSpec):
    """A training as a task runs it: settings, and which epochs of their schedule."""

    begin: int = Field(default=0, ge=0, description="Epochs of the schedule that are left out at its beginning.")
    until: int | None = Field(default=None, description="The epoch that is the last one; default: the schedule's own.")

    @classmethod
    def of(cls, spec: TrainSpec, *, begin: int = 0, until: int | None = None) -> "Recipe":
        """The recipe of settings that a sweep file gives."""
        settings = {name: getattr(spec, name) for name in TrainSpec.model_fields}
        return cls(**settings, begin=begin, until=until)

    def lasting(self, epochs: int) -> "Recipe":
        """The same with another number of epochs, its milestones stretched alike."""
        return Recipe.model_validate({**self.model_dump(), "epochs": epochs})

    @property
    def loss_settings(self) -> dict[str, float]:
        """What the loss is told; nothing where it is to be as it is."""
        return {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}

    @property
    def last_epoch(self) -> int:
        """The epoch after which the training ends."""
        return self.epochs if self.until is None else self.until

    @property
    def epochs_trained(self) -> int:
        """How many epochs of the schedule are trained."""
        return self.last_epoch - self.begin

    @model_validator(mode="after")
    def _some_epoch_is_left(self) -> Self:
        if not self.begin < self.last_epoch <= self.epochs:
            raise checks.fault(f"begin {self.begin} and until {self.until} leave no epoch of {self.epochs}")
        return self
