"""The whole sweep file."""

from typing import Self

from pydantic import model_validator

from jobs.spec.coherence import check_coherence
from jobs.spec.sweep_record import SweepRecord


class SweepSpec(SweepRecord):
    """One sweep: models x methods x compressions x seeds on one data set."""

    @model_validator(mode="after")
    def _its_parts_fit_together(self) -> Self:
        check_coherence(self)
        return self
