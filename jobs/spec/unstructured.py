"""Unstructured pruning: methods that remove single weights."""

from typing import Literal, Self

from pydantic import Field, model_validator

from jobs import checks
from jobs.rounds import Schedule
from jobs.spec.base import Compressions, Record
from jobs.spec.distillation import DistillSpec, features_conflict
from jobs.spec.method import MethodBase
from jobs.spec.models import ModelSpec


class RewindSpec(Record):
    """The epoch to whose values the remaining weights are reset."""

    epoch: int = Field(default=0, ge=0, description="Of the model's own training; `0`: the initial weights.")


class UnstructuredMethod(MethodBase):
    """Unstructured magnitude pruning; removed weights stay zero in all later training.

    The first convolution is pruned like any other. The largest weight of every layer is kept.
    """

    kind: Literal["unstructured"]
    scope: Literal["global", "layer"] = Field(
        default="global", description="`global`: one threshold for all layers; `layer`: the same fraction of each."
    )
    linear: bool = Field(default=False, description="Prune linear layers, too; otherwise convolutions only.")
    rounds: int = Field(
        default=1,
        ge=1,
        description="Iterative pruning: each round removes a part; between rounds the network is trained as the model "
        "is.",
    )
    schedule: Schedule = Field(
        default="geometric",
        description="`geometric`: every round removes the same fraction of the remaining weights; `linear`: of all.",
    )
    rewind: RewindSpec | None = Field(
        default=None,
        description="After every round, including the last, reset the remaining weights to that epoch and train from "
        "there as the model is (lottery tickets; Frankle and Carbin 2019). Default: no rewinding.",
    )
    distill: DistillSpec | None = Field(
        default=None, description="Distillation from the dense network, in all these trainings; default: none."
    )
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")

    @model_validator(mode="after")
    def _distils_in_training(self) -> Self:
        if self.distill is not None and not self.trains:
            raise checks.fault("has `distill` and trains nothing; set `rounds` or `rewind`, or distil in a protocol")
        return self

    @property
    def trains(self) -> bool:
        """Whether the method includes training."""
        return self.rounds > 1 or self.rewind is not None

    def conflict_with(self, model: ModelSpec) -> str | None:
        """Why the method cannot be applied to a model, and what to do; None where it can."""
        if not self.trains:
            return None
        if model.train is None:
            return (
                "comes from a checkpoint, and several rounds or rewinding train as the model is trained; "
                "give it a `train` block instead"
            )
        if unread := features_conflict(self.distill, model.train):
            return f"is trained once more as it was: {unread}"
        if self.rewind is not None and self.rewind.epoch >= model.train.epochs:
            return f"is trained for {model.train.epochs} epochs; rewind to an earlier one than {self.rewind.epoch}"
        return None
