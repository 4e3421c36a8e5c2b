"""Methods that prune by reconstruction: choose channels by the error of the following layers, and refit these."""

from typing import Literal, Self

from pydantic import Field, model_validator

from jobs import checks
from jobs.spec.allocation import AllocationField, UniformAllocation, check_compressions, check_functions, check_rounds
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
        check_functions(self.allocation)
        check_rounds(self.allocation, self.rounds)
        if missing := {"scores", "losses"} & set(self.allocation.wants):
            raise checks.fault(
                f"the allocation {self.allocation.kind} needs {', '.join(sorted(missing))}, which a reconstruction "
                "does not have; choose another one, such as uniform or least-error"
            )
        return self
