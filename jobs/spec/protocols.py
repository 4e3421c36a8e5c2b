"""Protocols: what happens to a network after it was made smaller, before it is evaluated."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobs import checks
from jobs.spec.base import Record
from jobs.spec.training import FineTuneSpec, TrainSpec

NO_PROTOCOL = "none"
"""The name of the protocol that does nothing; every sweep has it."""


class RecalibrateProtocol(Record):
    """The statistics of the batch norms are estimated anew in the smaller network, without labels."""

    kind: Literal["recalibrate"]
    images: int = Field(default=2048, ge=2, description="Training images, chosen by the seed.")


class FineTuneProtocol(Record):
    """The smaller network's weights are trained on, all of them."""

    kind: Literal["fine-tune"]
    train: FineTuneSpec = Field(default_factory=lambda: FineTuneSpec.model_validate({}))


class ScratchProtocol(Record):
    """A network of the smaller one's widths is trained from random weights (Rethinking's Scratch-E and Scratch-B)."""

    kind: Literal["scratch"]
    budget: Literal["epochs", "macs", "macs-and-fine-tuning"] = Field(
        default="epochs",
        description="How long. `epochs`: as many as `train` says (Scratch-E); `macs`: for the multiply-accumulates "
        "that the dense network takes in those (Scratch-B), its milestones stretched alike; `macs-and-fine-tuning`: "
        "and for those of `fine_tuning_epochs` of the smaller network.",
    )
    cap: float | None = Field(
        default=None, ge=1, description="Of budgets by `macs`: at most so many times the epochs; default: no cap."
    )
    fine_tuning_epochs: int | None = Field(
        default=None, ge=1, description="Of `macs-and-fine-tuning`: how long the network would be fine-tuned for."
    )
    train: TrainSpec | None = Field(default=None, description="Default: as the model is trained.")

    @model_validator(mode="after")
    def _budget_says_all(self) -> Self:
        if self.cap is not None and self.budget == "epochs":
            raise checks.fault("has a cap on a budget by epochs; remove `cap`, or set budget: macs")
        if (self.fine_tuning_epochs is None) == (self.budget == "macs-and-fine-tuning"):
            raise checks.fault("`fine_tuning_epochs` belong to budget: macs-and-fine-tuning; give both or neither")
        return self


class RewindProtocol(Record):
    """The model's own training goes on from an earlier epoch, with the smaller network (Renda et al. 2020)."""

    kind: Literal["rewind"]
    what: Literal["weights", "learning-rate"] = Field(
        description="`weights`: those that stay go back to what they were at that epoch, and so does the schedule; "
        "`learning-rate`: the schedule alone."
    )
    epoch: int | float = Field(
        ge=0,
        description="The epoch that is returned to: how many are done by then, or, as `0.1`, which part of them. "
        "At `0` the weights are the initial ones.",
    )

    def begin(self, epochs: int) -> int:
        """How many of the schedule's epochs lie before the point that is returned to."""
        return self.epoch if isinstance(self.epoch, int) else round(self.epoch * epochs)

    @model_validator(mode="after")
    def _part_or_whole(self) -> Self:
        if isinstance(self.epoch, float) and self.epoch >= 1:
            raise checks.fault(f"epoch {self.epoch}: give a whole number of epochs, or a part of them below 1.0")
        return self


CalibrationImages = Annotated[
    int, Field(ge=1, description="Training images without labels, chosen by the seed; they stay in memory.")
]


class RepairProtocol(Record):
    """Every layer of the smaller network is refitted by least squares to what the dense one gives; no labels."""

    kind: Literal["repair"]
    images: CalibrationImages = 512
    batch_size: int = Field(default=64, ge=1, description="Images per batch.")


class OwnProtocol(Record):
    """One of your own."""

    kind: Literal["own"]
    change: Annotated[str, AfterValidator(checks.known_or_own(()))] = Field(
        description="`package.module:callable`, declared by `@workers.protocols.protocol()`."
    )
    needs: tuple[Literal["images", "labels", "dense"], ...] = Field(
        default=(), description="What it declares to need: training images, with labels; the model's own network."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its keyword arguments.")


PROTOCOL_KINDS = ("recalibrate", "repair", "fine-tune", "scratch", "rewind", "own")
ProtocolSpec = Annotated[
    RecalibrateProtocol | RepairProtocol | FineTuneProtocol | ScratchProtocol | RewindProtocol | OwnProtocol,
    Field(discriminator="kind"),
]
