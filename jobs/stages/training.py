"""Parameters of the stage `train`, one record for each training procedure."""

from typing import Annotated, Any, Literal

from pydantic import Field

from jobs.spec.base import Record
from jobs.spec.sparsity import SparsifySpec
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import DatasetParams


class ModelWeights(Record):
    """A model's own network: trained, loaded from a checkpoint, or with its initial weights."""

    kind: Literal["model"] = "model"
    network: str = Field(description="As the sweep file names it.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the network.")
    weights: str | None = Field(default=None, description="Fingerprint of the checkpoint to load.")
    recipe: Recipe | None = Field(default=None, description="Training recipe; None: not trained.")


class IntegralTraining(Record):
    """Train an integral network at all sizes at once (INN, Algorithm 1)."""

    kind: Literal["integral"] = "integral"
    network: ArtifactKey
    recipe: Recipe
    smallest: float = Field(gt=0, le=1, description="Smallest size sampled, as a fraction of the width.")


class FurtherTraining(Record):
    """Train all weights of a network further: fine-tuning, or a part of the model's own schedule again."""

    kind: Literal["further"] = "further"
    network: ArtifactKey
    recipe: Recipe


class ScratchBudget(Record):
    """Scratch-B: as many epochs as take the MACs of the dense network's training (Rethinking, section 3)."""

    cap: float | None = Field(default=None, ge=1, description="At most this multiple of the epochs.")
    fine_tuning_epochs: int = Field(default=0, ge=0, description="Fine-tuning epochs whose MACs are added.")


class ScratchTraining(Record):
    """Train the pruned architecture from random weights."""

    kind: Literal["scratch"] = "scratch"
    network: ArtifactKey
    dense: ArtifactKey = Field(description="The network before pruning.")
    recipe: Recipe
    budget: ScratchBudget | None = Field(default=None, description="None: the epochs of the recipe (Scratch-E).")


class SparseTraining(Record):
    """Sparsity-inducing training."""

    kind: Literal["sparse"] = "sparse"
    network: ArtifactKey
    recipe: Recipe
    sparsify: SparsifySpec = Field(description="The regulariser; its `train` is the recipe.")
    compression: float | None = Field(
        default=None, ge=0, lt=1, description="Of the point, where the training depends on it."
    )


class TrainParams(StageParams):
    """Parameters of `train`."""

    procedure: Annotated[
        ModelWeights | IntegralTraining | FurtherTraining | ScratchTraining | SparseTraining,
        Field(discriminator="kind"),
    ]
    data: DatasetParams
