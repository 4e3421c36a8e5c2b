"""Methods that prune by reconstruction: choose channels by the error of the following layers, and refit these."""

from typing import Literal, Self

from pydantic import Field, model_validator

from jobs.spec.allocation import (
    NO_FUNCTIONS,
    AllocationField,
    UniformAllocation,
    check_compressions,
    check_needs,
    check_rounds,
)
from jobs.spec.base import Compressions
from jobs.spec.method import RoundsMethod
from jobs.spec.protocols import CalibrationImages


class ReconstructionMethod(RoundsMethod):
    """Prune layer by layer with the least reconstruction error of the following layers, and refit these; no labels."""

    kind: Literal["reconstruction"]
    how: Literal["thinet", "lasso"] = Field(
        description="`thinet`: greedy selection by the smallest joint contribution, then a least-squares factor per "
        "channel (ThiNet); `lasso`: LASSO selection with a rising penalty, then all weights are refitted."
    )
    images: CalibrationImages = 512
    batch_size: int = Field(default=64, ge=1, description="Images per batch.")
    allocation: AllocationField = UniformAllocation()
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")

    @model_validator(mode="after")
    def _allocation_fits(self) -> Self:
        check_compressions(self.allocation, self.compressions)
        check_rounds(self.allocation, self.rounds)
        lacking = dict.fromkeys(("scores", "losses"), "a reconstruction measures none before it prunes")
        check_needs(self.allocation, NO_FUNCTIONS | lacking)
        return self
