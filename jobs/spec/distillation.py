"""Distillation: a pruned network is trained to do as the dense one does. Shared by the sweep file and tasks."""

from typing import Annotated

from pydantic import Field

from jobs.spec.base import Record
from jobs.spec.execution import Execution

MISPLACED = (
    "has `distill`, and trains the dense network itself, so that there is no teacher yet; distil where a pruned "
    "network is trained: in a protocol of kind fine-tune, say"
)


class FeatureSpec(Record):
    """Features: outputs of layers within the network are compared with those of the dense network's."""

    layers: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1,
        strict=False,  # a list, also behind a validator that comes before
        description="Patterns of layers' names, in which `*` ends at a dot: `layer*` are the stages of a ResNet, "
        "`layer*.*` its blocks. One that matches nothing is an error.",
    )
    weight: float = Field(
        default=1.0, gt=0, description="Factor of their distance, the mean over the layers, which is added to the loss."
    )


class DistillSpec(Record):
    """Distillation from the dense network (Hinton et al. 2015, arXiv:1503.02531), in trainings after pruning.

    The loss is (1 - weight) x the loss on the labels + weight x the distance from the dense network's outputs; with
    `features`, their distance is added.
    """

    weight: float = Field(
        default=0.5, ge=0, le=1, description="Of the dense network's outputs; at `1` no labels are used."
    )
    temperature: float = Field(
        default=1.0,
        gt=0,
        description="Of classification and segmentation: logits are divided by it, and the divergence is multiplied by "
        "its square. 4 is usual, too.",
    )
    features: FeatureSpec | None = Field(default=None, description="Layers within that are compared, too.")

    @property
    def compares(self) -> bool:
        """Whether anything of the dense network is looked at."""
        return self.weight > 0 or self.features is not None


def features_conflict(distill: DistillSpec | None, how: Execution) -> str | None:
    """Why features cannot be read of a network that runs like that, and what to do; None where they need not or can."""
    if distill is None or distill.features is None or not how.compile:
        return None
    return "layers within a compiled network cannot be read; remove `compile` or distill.features"
