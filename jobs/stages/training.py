"""Parameters of the stage `train`, one record for each way in which a network comes to its weights."""

from typing import Annotated, Any, Literal

from pydantic import Field

from jobs.spec.base import Record
from jobs.spec.sparsity import SparsifySpec
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import DatasetParams, ObjectiveParams


class ModelWeights(Record):
    """A model's own network: learnt from the data, loaded from a checkpoint, or as it starts out."""

    kind: Literal["model"] = "model"
    network: str = Field(description="As the sweep file names it.")
    source: str | None = Field(default=None, description="Fingerprint of the user's own module.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the network.")
    weights: str | None = Field(default=None, description="Fingerprint of the checkpoint that is loaded.")
    recipe: Recipe | None = Field(default=None, description="Of the training; None where it is not trained.")


class IntegralTraining(Record):
    """An integral network is trained at all sizes at once (INN, Algorithm 1)."""

    kind: Literal["integral"] = "integral"
    network: ArtifactKey
    recipe: Recipe
    smallest: float = Field(gt=0, le=1, description="Smallest size drawn, as a fraction of the width.")


class FurtherTraining(Record):
    """All weights of a network are trained on: fine-tuning, or a part of the model's own schedule once more."""

    kind: Literal["further"] = "further"
    network: ArtifactKey
    recipe: Recipe


class ScratchBudget(Record):
    """The epochs of a training from scratch cost what the dense network's cost (Rethinking, section 3)."""

    cap: float | None = Field(default=None, ge=1, description="At most so many times the epochs.")
    fine_tuning_epochs: int = Field(default=0, ge=0, description="What fine-tuning would have cost on top.")


class ScratchTraining(Record):
    """A fresh network of a smaller one's widths is trained."""

    kind: Literal["scratch"] = "scratch"
    network: ArtifactKey
    dense: ArtifactKey = Field(description="The network before it was pruned.")
    recipe: Recipe
    budget: ScratchBudget | None = Field(default=None, description="None: as many epochs as the recipe says.")


class SparseTraining(Record):
    """A network is trained so that parts of it go towards zero."""

    kind: Literal["sparse"] = "sparse"
    network: ArtifactKey
    recipe: Recipe
    sparsify: SparsifySpec = Field(description="What brings them there; its own `train` is the recipe.")
    compression: float | None = Field(
        default=None, ge=0, lt=1, description="Of the point, where what goes to zero depends on it."
    )


class TrainParams(StageParams):
    """Parameters of `train`."""

    procedure: Annotated[
        ModelWeights | IntegralTraining | FurtherTraining | ScratchTraining | SparseTraining,
        Field(discriminator="kind"),
    ]
    data: DatasetParams
    objective: ObjectiveParams = ObjectiveParams()
