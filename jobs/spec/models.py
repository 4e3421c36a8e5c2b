"""Networks, where their weights come from, and how they are trained."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from jobs import checks
from jobs.spec.base import Location, Record
from jobs.spec.settings import SETTINGS

Settings: TypeAlias = Literal[
    "cifar_rethinking", "imagenet_rethinking", "cifar_fine_tune", "imagenet_fine_tune", "cifar_short", "imagenet_short"
]


class TrainSpec(Record):
    """Training: SGD on cross-entropy. The defaults are those of Rethinking, section 5 (CIFAR), without augmentation."""

    settings: Settings | None = Field(
        default=None, exclude=True, description="Values by name; what stands beside it goes before them."
    )
    epochs: int = Field(ge=1, description="Passes over the training split; `settings` say it, too.")
    batch_size: int = Field(default=64, ge=1)
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
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    nesterov: bool = False

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


class FineTuneSpec(TrainSpec):
    """Training of a network that has learnt before. The defaults are those of Rethinking, section 5 (CIFAR)."""

    settings: Settings | None = Field(
        default="cifar_fine_tune", exclude=True, description="Values by name; what stands beside it goes before them."
    )


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
