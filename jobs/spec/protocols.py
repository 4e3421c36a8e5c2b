"""Protocols: what happens to a network after pruning, before it is evaluated."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobs import checks
from jobs.spec.base import CountOrFraction, Fractions, Name, Record
from jobs.spec.data import DataSpec
from jobs.spec.distillation import DistillSpec
from jobs.spec.objective import ObjectiveSpec
from jobs.spec.training import FineTuneSpec, TrainSpec

NO_PROTOCOL = "none"
"""The name of the protocol that does nothing; every sweep has it."""


class RaceSpec(Record):
    """Successive halving (Jamieson and Talwalkar 2016): trainings that cannot win stop early.

    All methods with the protocol race on each model at each compression. At a rung they are compared on the validation
    split, in the mean over the seeds; the best go on, the others stay as they are, with a note.
    """

    rungs: Annotated[Fractions, AfterValidator(checks.not_empty)] = Field(
        description="Where they are compared: increasing fractions of the training's steps, each at another step."
    )
    keep: float = Field(default=0.5, gt=0, lt=1, description="Fraction of them that goes on, rounded up.")


class TrainingProtocol(Record):
    """What protocols that train a pruned network have in common."""

    race: RaceSpec | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="The trainings of several methods at one compression race, and only the best go on to the end; "
        "default: all do.",
    )


class FollowingProtocol(Record):
    """What protocols have in common that go on with the weights of a network."""

    after: Name = Field(
        default=NO_PROTOCOL,
        exclude_if=lambda value: value == NO_PROTOCOL,
        description="A protocol of the sweep that is applied before, such as a refit before fine-tuning.",
    )


class RecalibrateProtocol(FollowingProtocol):
    """Batch-norm recalibration: re-estimate the running statistics of the pruned network, without labels."""

    kind: Literal["recalibrate"]
    images: int = Field(default=2048, ge=2, description="Calibration images, drawn by the seed.")
    batch_size: int = Field(
        default=128, ge=2, description="Images per batch; the statistics are the mean of those of the batches."
    )


class FineTuneProtocol(TrainingProtocol, FollowingProtocol):
    """Fine-tuning: train all weights of the pruned network further."""

    kind: Literal["fine-tune"]
    train: FineTuneSpec = Field(default_factory=lambda: FineTuneSpec.model_validate({}))


class ScratchProtocol(TrainingProtocol):
    """Train the pruned architecture from random weights (Rethinking's Scratch-E and Scratch-B)."""

    kind: Literal["scratch"]
    budget: Literal["epochs", "macs", "macs-and-fine-tuning"] = Field(
        default="epochs",
        description="Training budget. `epochs`: the epochs of `train` (Scratch-E); `macs`: the MACs that the dense "
        "network would take in these epochs (Scratch-B), milestones scaled alike; `macs-and-fine-tuning`: plus those "
        "of `fine_tuning_epochs` of the pruned network.",
    )
    cap: float | None = Field(
        default=None, ge=1, description="For budgets by `macs`: at most this multiple of the epochs; default: no cap."
    )
    fine_tuning_epochs: int | None = Field(
        default=None, ge=1, description="For `macs-and-fine-tuning`: number of fine-tuning epochs to add."
    )
    train: TrainSpec | None = Field(default=None, description="Training settings; default: those of the model.")

    @model_validator(mode="after")
    def _budget_is_consistent(self) -> Self:
        if self.cap is not None and self.budget == "epochs":
            raise checks.fault("has a cap on a budget by epochs; remove `cap`, or set budget: macs")
        if (self.fine_tuning_epochs is None) == (self.budget == "macs-and-fine-tuning"):
            raise checks.fault("`fine_tuning_epochs` belong to budget: macs-and-fine-tuning; give both or neither")
        return self


class RewindProtocol(TrainingProtocol):
    """Rewinding: repeat the model's training from an earlier epoch with the pruned network (Renda et al. 2020)."""

    kind: Literal["rewind"]
    what: Literal["weights", "learning-rate"] = Field(
        description="`weights`: reset the remaining weights to their values at that epoch, and the learning-rate "
        "schedule too; `learning-rate`: reset only the schedule."
    )
    epoch: CountOrFraction = Field(
        ge=0,
        description="The epoch to rewind to: a number of epochs, or, as `0.1`, a fraction of them. `0`: the initial "
        "weights.",
    )
    distill: DistillSpec | None = Field(
        default=None, description="Distillation from the dense network; default: trained as the model was."
    )

    def begin(self, epochs: int) -> int:
        """The epoch to rewind to, as a number of epochs."""
        return self.epoch if isinstance(self.epoch, int) else round(self.epoch * epochs)

    @model_validator(mode="after")
    def _part_or_whole(self) -> Self:
        if isinstance(self.epoch, float) and self.epoch >= 1:
            raise checks.fault(f"epoch {self.epoch}: give a whole number of epochs, or a fraction below 1.0")
        return self


CalibrationImages = Annotated[
    int, Field(ge=1, description="Calibration images without labels, drawn by the seed; kept in memory.")
]


class RepairProtocol(Record):
    """Refit every layer of the pruned network by least squares to the dense network's outputs, without labels."""

    kind: Literal["repair"]
    images: CalibrationImages = 512
    batch_size: int = Field(default=64, ge=1, description="Images per batch.")


class TransferProtocol(FollowingProtocol):
    """Transfer: the network becomes the backbone of another one, which is trained and evaluated on other data.

    After Liu et al. 2019 (arXiv:1810.05270, appendix on transfer learning): a pruned classifier within a detector.
    """

    kind: Literal["transfer"]
    network: Annotated[str, AfterValidator(checks.network)] = Field(
        description="The network to build, with a keyword argument `backbone`: the module that it is built around."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its further keyword arguments.")
    data: DataSpec
    objective: ObjectiveSpec
    train: TrainSpec


class OwnProtocol(FollowingProtocol):
    """One of your own."""

    kind: Literal["own"]
    change: Annotated[str, AfterValidator(checks.known_or_own(()))] = Field(
        description="`package.module:callable`, declared by `@workers.protocols.protocol()`."
    )
    needs: tuple[Literal["images", "labels", "dense"], ...] = Field(
        default=(), description="The inputs that it declares to need: training images, labels, the dense network."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its keyword arguments.")


PROTOCOL_KINDS = ("recalibrate", "repair", "fine-tune", "scratch", "rewind", "transfer", "own")
ProtocolSpec = Annotated[
    RecalibrateProtocol
    | RepairProtocol
    | FineTuneProtocol
    | ScratchProtocol
    | RewindProtocol
    | TransferProtocol
    | OwnProtocol,
    Field(discriminator="kind"),
]
