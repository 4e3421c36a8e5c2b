"""Methods that remove single weights."""

from typing import Literal

from pydantic import Field

from jobs.spec.base import Compressions, Record
from jobs.spec.method import MethodBase
from jobs.spec.models import ModelSpec


class RewindSpec(Record):
    """Where the weights that are left return to."""

    epoch: int = Field(
        default=0, ge=0, description="Of the model's own training; `0`: the weights that it starts with."
    )


class UnstructuredMethod(MethodBase):
    """Remove the single weights of the smallest magnitude; what is removed stays at zero in every later training.

    The first convolution counts like any other. The largest weight of every layer stays.
    """

    kind: Literal["unstructured"]
    scope: Literal["global", "layer"] = Field(
        default="global", description="`global`: one threshold for all layers; `layer`: the same fraction of each."
    )
    linear: bool = Field(
        default=False, description="Remove weights of linear layers, too; otherwise of convolutions alone."
    )
    rounds: int = Field(
        default=1,
        ge=1,
        description="Each removes the same share of what is left; between two of them the network is trained as the "
        "model is.",
    )
    rewind: RewindSpec | None = Field(
        default=None,
        description="After every round, the last one too, the weights that are left return to what they were, and are "
        "trained from there as the model is (lottery tickets; Frankle and Carbin 2019). Default: they go on.",
    )
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")

    @property
    def trains(self) -> bool:
        """Whether it trains the network itself."""
        return self.rounds > 1 or self.rewind is not None

    def misfit(self, model: ModelSpec) -> str | None:
        """Why a model cannot go through it, and what to do; None where it can."""
        if not self.trains:
            return None
        if model.train is None:
            return (
                "comes from a checkpoint, and several rounds or a rewinding train as the model is trained; "
                "give it a `train` block instead"
            )
        if self.rewind is not None and self.rewind.epoch >= model.train.epochs:
            return f"is trained for {model.train.epochs} epochs; rewind to an earlier one than {self.rewind.epoch}"
        return None
