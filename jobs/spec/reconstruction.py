"""Methods that choose channels by what the next layers lose, and refit these."""

from typing import Literal

from pydantic import Field

from jobs.spec.allocation import Allocation
from jobs.spec.base import Compressions, Record
from jobs.spec.protocols import NO_PROTOCOL, CalibrationImages, Protocols


class ReconstructionMethod(Record):
    """Cut the channels layer by layer so that the layers which read them lose least, and refit these; no labels."""

    kind: Literal["reconstruction"]
    how: Literal["thinet", "lasso"] = Field(
        description="`thinet`: the removed set grows by the least joint contribution, and a factor per channel is "
        "refitted (ThiNet); `lasso`: channels whose factors a rising price leaves, and all weights are refitted."
    )
    images: CalibrationImages = 512
    batch_size: int = Field(default=64, ge=1, description="Images per batch.")
    allocation: Allocation = "uniform"
    protocols: Protocols = (NO_PROTOCOL,)
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")
