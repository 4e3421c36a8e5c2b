"""Methods that score channels and remove the lowest."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobs import checks, names
from jobs.spec.allocation import Allocation, UniformAllocation, check_compressions
from jobs.spec.base import Compressions, Record
from jobs.spec.method import MethodBase
from jobs.spec.models import ModelSpec
from jobs.spec.sparsity import SparsifySpec


class ScoreSpec(Record):
    """The training images that a criterion's scores rest on. Criteria with equal settings share one pass over them."""

    images: int | None = Field(
        default=None,
        ge=1,
        description="How many, chosen by the seed. Default: all for statistics of activations, "
        + ", ".join(f"{count} for {name}" for name, count in names.OBSERVATIONS.items() if count)
        + ".",
    )
    batch_size: int = Field(default=128, ge=1, description="Images per batch.")


class CriterionMethod(MethodBase):
    """Score the channels, remove the lowest; without `sparsify`, no training (INN's pipeline C)."""

    kind: Literal["criterion"]
    criterion: Annotated[str, AfterValidator(checks.known_or_own(names.CRITERIA))] = Field(
        description=f"What a channel is worth: {', '.join(f'`{name}`' for name in names.CRITERIA)}; "
        "or your own `package.module:callable`."
    )
    observation: Annotated[str, AfterValidator(checks.known_or_own(names.OBSERVATIONS))] | None = Field(
        default=None,
        description="For a criterion of your own: the pass over data that it reads, "
        + ", ".join(f"`{name}`" for name in names.OBSERVATIONS)
        + " or your own `package.module:callable`; default: none.",
    )
    score: ScoreSpec | None = Field(default=None, description="The data, for criteria that look at data.")
    sparsify: SparsifySpec | None = Field(
        default=None, description="A training before the scores are taken, that brings parts towards zero."
    )
    allocation: Allocation = UniformAllocation()
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")

    @model_validator(mode="after")
    def _data_where_needed(self) -> Self:
        if self.observation is not None and self.criterion in names.CRITERIA:
            raise checks.fault(f"{self.criterion} says itself what it reads; remove `observation`")
        if self.score is not None and self.reads is None:
            raise checks.fault(f"{self.criterion} looks at no data; remove `score`")
        return self

    def misfit(self, model: ModelSpec) -> str | None:
        """Why a model cannot go through it, and what to do; None where it can."""
        if self.sparsify is not None and self.sparsify.train is None and model.train is None:
            return "comes from a checkpoint, so `sparsify` has to say how to train; give it a `train` block"
        return None

    @model_validator(mode="after")
    def _widths_and_compressions_agree(self) -> Self:
        check_compressions(self.allocation, self.compressions)
        return self

    @property
    def reads(self) -> str | None:
        """The observation that the criterion reads; None where weights are enough."""
        return names.CRITERIA.get(self.criterion, self.observation)

    @property
    def num_images(self) -> int | None:
        """How many training images are observed; None for all."""
        asked = self.score.images if self.score else None
        return asked or names.OBSERVATIONS.get(self.reads or "")
