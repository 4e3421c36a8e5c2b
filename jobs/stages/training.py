"""Parameters of the stage `train`, one record for each training procedure, and of `race`, which compares trainings."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from jobs.spec.inputs import NetworkInputs
from jobs.spec.sparsity import GroupLassoSpec, SoftFilterSpec, SparsifySpec
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import CLASSIFICATION, CountedTarget, DatasetParams, ObjectiveParams, WidthLimits
from jobs.weights import CheckpointReading


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWeights:
    """A model's own network: learnt from the data, loaded from a checkpoint, or as it starts out.

    Attributes:
        network: As the sweep file names it.
        source: Fingerprint of the user's own module, or the version of the library.
        arguments: Keyword arguments of the network.
        inputs: What it takes; None: what the data shows.
        weights: What identifies the weights that are loaded (`jobs.weights.weights_fingerprint`).
        reading: How their checkpoint is read, where the sweep file says so.
        arguments_of: What identifies weights that are not loaded, but whose arguments the network has.
        recipe: Of the training; None where it is not trained.
    """

    kind: Literal["model"] = "model"
    network: str
    source: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    inputs: NetworkInputs | None = None
    weights: str | None = None
    reading: CheckpointReading | None = None
    arguments_of: str | None = None
    recipe: Recipe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegralTraining:
    """An integral network is trained at all sizes at once (INN, Algorithm 1).

    Attributes:
        smallest: Smallest size drawn, as a fraction of the width.
        limits: Which layers stay whole; None: none.
        teacher: The dense network, where the recipe distils; so it is in other procedures.
    """

    kind: Literal["integral"] = "integral"
    network: ArtifactKey
    recipe: Recipe
    smallest: float
    limits: WidthLimits | None = None
    teacher: ArtifactKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A part of a training that races others, from one rung to the next (`planning.racing`).

    Attributes:
        until: Of its steps, the fraction after which it pauses at a rung; None: it goes to the end.
        start: The training up to the rung before; None: it begins.
        race: What decided there which trainings go on; one that does not stays as it is.
    """

    until: float | None = None
    start: ArtifactKey | None = None
    race: ArtifactKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherTraining:
    """All weights of a network are trained on: fine-tuning, or a part of the model's own schedule once more.

    Attributes:
        leg: Which part of a training that races others; None: the whole. So it is in other procedures.
    """

    kind: Literal["further"] = "further"
    network: ArtifactKey
    recipe: Recipe
    teacher: ArtifactKey | None = None
    leg: Leg | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchBudget:
    """The epochs of a training from scratch cost what the dense network's cost (Rethinking, section 3).

    Attributes:
        cap: At most so many times the epochs.
        fine_tuning_epochs: What fine-tuning would have cost on top.
    """

    cap: float | None = None
    fine_tuning_epochs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchTraining:
    """A fresh network of a smaller one's widths is trained.

    Attributes:
        dense: The network before it was pruned.
        budget: None: as many epochs as the recipe says.
    """

    kind: Literal["scratch"] = "scratch"
    network: ArtifactKey
    dense: ArtifactKey
    recipe: Recipe
    budget: ScratchBudget | None = None
    teacher: ArtifactKey | None = None
    leg: Leg | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseTraining:
    """A network is trained so that parts of it go towards zero.

    Attributes:
        analysis: Of the network's architecture, norms not folded.
        sparsify: What brings them there; its own `train` is the recipe.
        compression: Of the point, where what goes to zero depends on it.
        target: The cost that it is a fraction of; None: parameters.
        limits: Of single layers, where the widths are known in training.
        multiple: Of which all widths are, or full, likewise; None: any.
    """

    kind: Literal["sparse"] = "sparse"
    network: ArtifactKey
    analysis: ArtifactKey
    recipe: Recipe
    sparsify: SparsifySpec
    compression: float | None = None
    target: CountedTarget | None = None
    limits: WidthLimits | None = None
    multiple: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTraining:
    """A network is built around another one, its backbone, and trained.

    Attributes:
        network: The backbone.
        target: The network, as the sweep file names it.
        source: Fingerprint of the user's own module.
        arguments: Keyword arguments of the network, besides `backbone`.
        teacher: The same around the whole backbone, trained.
    """

    kind: Literal["transfer"] = "transfer"
    network: ArtifactKey
    target: str
    source: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    recipe: Recipe
    teacher: ArtifactKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainParams(StageParams):
    """Parameters of `train`."""

    procedure: Annotated[
        ModelWeights | IntegralTraining | FurtherTraining | ScratchTraining | SparseTraining | TransferTraining,
        Field(discriminator="kind"),
    ]
    data: DatasetParams
    objective: ObjectiveParams = CLASSIFICATION

    @property
    def revision(self) -> int | None:
        """2 where Muon may train a network without some weights, which it filled, and where frozen ones were shrunk."""
        match self.procedure:
            case FurtherTraining(recipe=recipe) | ScratchTraining(recipe=recipe):
                return 2 if recipe.optimizer == "muon" else None
            case SparseTraining(sparsify=SoftFilterSpec() | GroupLassoSpec()):
                return 2
            case _:
                return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceParams(StageParams):
    """Parameters of `race`.

    Attributes:
        entrants: The trainings at a rung, those of one method together, one for each seed.
        keep: Fraction of the methods still in the race that goes on.
    """

    entrants: tuple[tuple[ArtifactKey, ...], ...]
    keep: float
    objective: ObjectiveParams = CLASSIFICATION
