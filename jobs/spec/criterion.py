"""Methods that rank channels by importance and remove the least important."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobs import checks, names
from jobs.spec.allocation import (
    NO_FUNCTIONS,
    AllocationField,
    UniformAllocation,
    check_compressions,
    check_needs,
    check_rounds,
)
from jobs.spec.base import Compressions, Record
from jobs.spec.method import RoundsMethod
from jobs.spec.models import ModelSpec
from jobs.spec.sparsity import SparsifySpec, unsuited


class ScoreSpec(Record):
    """The calibration data of a criterion. Criteria with equal settings share one calibration pass."""

    images: int | None = Field(
        default=None,
        ge=1,
        description="Number of training images, drawn by the seed. Default: all for activation statistics, "
        + ", ".join(f"{count} for {name}" for name, count in names.OBSERVATIONS.items() if count)
        + ".",
    )
    batch_size: int = Field(default=128, ge=1, description="Images per batch.")


class CriterionMethod(RoundsMethod):
    """Score the channels and remove the lowest; without `sparsify`, no training (INN's pipeline C)."""

    kind: Literal["criterion"]
    criterion: Annotated[str, AfterValidator(checks.known_or_own(names.CRITERIA))] = Field(
        description=f"Channel importance: {', '.join(f'`{name}`' for name in names.CRITERIA)}; "
        "or your own `package.module:callable`."
    )
    observation: Annotated[str, AfterValidator(checks.known_or_own(names.OBSERVATIONS))] | None = Field(
        default=None,
        description="For a criterion of your own: the calibration pass that it reads, "
        + ", ".join(f"`{name}`" for name in names.OBSERVATIONS)
        + " or your own `package.module:callable`; default: none.",
    )
    score: ScoreSpec | None = Field(default=None, description="Calibration data, for criteria that need data.")
    sparsify: SparsifySpec | None = Field(default=None, description="Sparsity-inducing training before scoring.")
    allocation: AllocationField = UniformAllocation()
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")

    @model_validator(mode="after")
    def _data_where_needed(self) -> Self:
        if self.observation is not None and self.criterion in names.CRITERIA:
            raise checks.fault(f"{self.criterion} has its own observation; remove `observation`")
        if self.score is not None and self.reads is None:
            raise checks.fault(f"{self.criterion} uses no data; remove `score`")
        return self

    def conflict_with(self, model: ModelSpec) -> str | None:
        """Why the method cannot be applied to a model, and what to do; None where it can."""
        if self.sparsify is not None and self.sparsify.train is None and model.train is None:
            return "comes from a checkpoint, so `sparsify` has to say how to train; give it a `train` block"
        if self.sparsify is not None and self.sparsify.train is None and model.train is not None:
            fault = unsuited(model.train)
            return (
                f"is trained in a way that `sparsify` cannot use: {fault}, or give it a `train` block"
                if fault
                else None
            )
        return None

    @model_validator(mode="after")
    def _widths_and_compressions_agree(self) -> Self:
        check_compressions(self.allocation, self.compressions)
        check_needs(self.allocation, NO_FUNCTIONS)
        check_rounds(self.allocation, self.rounds)
        return self

    @property
    def reads(self) -> str | None:
        """The observation that the criterion reads; None: weights only."""
        return names.CRITERIA.get(self.criterion, self.observation)

    @property
    def num_images(self) -> int | None:
        """Number of calibration images; None: all."""
        asked = self.score.images if self.score else None
        return asked or names.OBSERVATIONS.get(self.reads or "")
