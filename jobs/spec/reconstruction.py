"""Methods that choose channels by what the next layers lose, and refit these."""

from typing import Literal, Self

from pydantic import Field, model_validator

from jobs import checks
from jobs.spec.allocation import Allocation, UniformAllocation, check_compressions
from jobs.spec.base import Compressions
from jobs.spec.method import MethodBase
from jobs.spec.protocols import CalibrationImages


class ReconstructionMethod(MethodBase):
    """Cut the channels layer by layer so that the layers which read them lose least, and refit these; no labels."""

    kind: Literal["reconstruction"]
    how: Literal["thinet", "lasso"] = Field(
        description="`thinet`: the removed set grows by the least joint contribution, and a factor per channel is "
        "refitted (ThiNet); `lasso`: channels whose factors a rising price leaves, and all weights are refitted."
    )
    images: CalibrationImages = 512
    batch_size: int = Field(default=64, ge=1, description="Images per batch.")
    allocation: Allocation = UniformAllocation()
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")

    @model_validator(mode="after")
    def _allocation_fits(self) -> Self:
        check_compressions(self.allocation, self.compressions)
        if missing := {"scores", "losses"} & set(self.allocation.wants):
            raise checks.fault(
                f"the allocation {self.allocation.kind} looks at {', '.join(sorted(missing))}, which a reconstruction "
                "does not have; choose another one, such as uniform or least-error"
            )
        return self
