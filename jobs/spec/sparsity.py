"""Training that brings channels, blocks or filters towards zero, before a criterion removes them."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.spec.base import Record
from jobs.spec.training import TrainSpec


class SparsifyBase(Record):
    """What every such training says of itself."""

    start: Literal["scratch", "network"] = Field(
        default="scratch", description="`scratch`: from random weights; `network`: from the model's own."
    )
    train: TrainSpec | None = Field(default=None, description="Default: as the model is trained.")


class SlimmingSpec(SparsifyBase):
    """Network Slimming: an l1 penalty on the scales of the batch norms (Liu et al. 2017)."""

    kind: Literal["slimming"]
    strength: float = Field(
        default=1e-4, gt=0, description="Of the penalty; the paper's for VGG, 1e-5 for ResNet and DenseNet."
    )


class StructureSelectionSpec(SparsifyBase):
    """Sparse Structure Selection: a scale on every structure, brought to zero (Huang and Wang 2018)."""

    kind: Literal["structure-selection"]
    structures: Literal["channels", "blocks"] = Field(
        default="channels",
        description="`channels`: of a grouped convolution, its groups; `blocks`: what residual blocks add. A block at "
        "zero keeps one channel inside, which adds nothing.",
    )
    strength: float = Field(default=1e-3, gt=0, description="Of the l1 penalty on the scales.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Of the accelerated proximal gradient.")


class SoftFilterSpec(SparsifyBase):
    """Soft filter pruning: after every epoch the smallest filters are zeroed, and learn on (He et al. 2018).

    The same fraction of every group, by the compression of each point: the training is one per compression.
    """

    kind: Literal["soft-filter"]


class GroupLassoSpec(SparsifyBase):
    """Group lasso: a penalty on the norm of all that a unit owns (Wen et al. 2016)."""

    kind: Literal["group-lasso"]
    strength: float = Field(default=1e-3, gt=0, description="Of the penalty.")


SPARSIFY_KINDS = ("slimming", "structure-selection", "soft-filter", "group-lasso")
SparsifySpec = Annotated[
    SlimmingSpec | StructureSelectionSpec | SoftFilterSpec | GroupLassoSpec, Field(discriminator="kind")
]
