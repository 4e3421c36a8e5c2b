"""Sparsity-inducing training: drives channels, blocks or filters towards zero before a criterion removes them."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from jobs import checks
from jobs.spec.base import Record
from jobs.spec.training import TrainSpec


def unsuited(train: TrainSpec) -> str | None:
    """Why a network cannot be made sparse by a training with these settings; None if it can."""
    if train.ema is not None or train.keep != "last":
        return "only the last weights are sparse; remove `ema` and `keep`"
    if train.distill is not None:
        return "it comes before pruning, where nothing is lost yet; distil in the protocol's training"
    if train.precision == "float16":
        return "precision float16 scales gradients, and regularisers have their own; use bfloat16"
    return None


class SparsifyBase(Record):
    """What all sparsity-inducing trainings have in common."""

    per_compression: ClassVar[bool] = False
    """Whether it depends on how much is to go: one training for each compression."""

    start: Literal["scratch", "network"] = Field(
        default="scratch", description="`scratch`: from random weights; `network`: from the model's own."
    )
    train: TrainSpec | None = Field(default=None, description="Training settings; default: those of the model.")

    @model_validator(mode="after")
    def _training_suits(self) -> Self:
        fault = unsuited(self.train) if self.train is not None else None
        if fault:
            raise checks.fault(f"train: {fault}")
        return self


class SlimmingSpec(SparsifyBase):
    """Network Slimming: a penalty on the scales of the batch norms (Liu et al. 2017)."""

    kind: Literal["slimming"]
    penalty: Literal["l1", "group-lasso"] = Field(
        default="l1",
        exclude_if=lambda value: value == "l1",  # networks are those from before there was a choice
        description="`l1`: the paper's, on every scale by itself; `group-lasso`: on the norm of all scales that a unit "
        "passes through, such as those along a residual stream, which so come to zero together.",
    )
    strength: float = Field(
        default=1e-4,
        gt=0,
        description="Weight of the penalty; the paper's for VGG, 1e-5 for ResNet and DenseNet.",
    )


class StructureSelectionSpec(SparsifyBase):
    """Sparse Structure Selection: a scale per structure with an l1 penalty (Huang and Wang 2018)."""

    kind: Literal["structure-selection"]
    structures: Literal["channels", "blocks"] = Field(
        default="channels",
        description="`channels`: for grouped convolutions, their groups; `blocks`: the residual branches. A branch at "
        "zero keeps one channel inside, which contributes nothing.",
    )
    strength: float = Field(default=1e-3, gt=0, description="Weight of the l1 penalty on the scales.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Of the accelerated proximal gradient.")


class SoftFilterSpec(SparsifyBase):
    """Soft filter pruning: zero the smallest filters after every epoch, and keep training them (He et al. 2018).

    The same fraction of every group, from the compression of each point: one training per compression.
    """

    per_compression = True

    kind: Literal["soft-filter"]


class GrowingSpec(SparsifyBase):
    """Growing regularisation: a rising l2 penalty on the units with the smallest filters (Wang et al. 2021, GReg-1).

    The same fraction of every group, from the compression of each point: one training per compression.
    """

    per_compression = True

    kind: Literal["growing"]
    increase: float | None = Field(
        default=None,
        gt=0,
        description="What the penalty's weight rises by; default: so much that it is at the ceiling after half of the "
        "training. The paper's is 1e-4, for some hundred thousand steps.",
    )
    interval: int = Field(default=10, ge=1, description="Steps between two rises.")
    ceiling: float = Field(default=1.0, gt=0, description="The largest weight of the penalty.")

    @model_validator(mode="after")
    def _rises_to_the_ceiling(self) -> Self:
        if self.increase is not None and self.increase > self.ceiling:
            raise checks.fault(f"increase {self.increase} is above the ceiling {self.ceiling}; give a smaller one")
        return self


class GroupLassoSpec(SparsifyBase):
    """Group lasso: a penalty on the l2 norm of each unit's weights (Wen et al. 2016)."""

    kind: Literal["group-lasso"]
    strength: float = Field(default=1e-3, gt=0, description="Weight of the penalty.")


SPARSIFY_KINDS = ("slimming", "structure-selection", "soft-filter", "group-lasso", "growing")
SparsifySpec = Annotated[
    SlimmingSpec | StructureSelectionSpec | SoftFilterSpec | GroupLassoSpec | GrowingSpec, Field(discriminator="kind")
]
