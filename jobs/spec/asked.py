"""Which models a method is applied to."""

from typing import Annotated

from pydantic import AfterValidator, Field

from jobs import checks
from jobs.spec.base import Name, Record


class ForModels(Record):
    """The base of every method."""

    models: Annotated[tuple[Name, ...], AfterValidator(checks.not_empty), AfterValidator(checks.no_repeats)] | None = (
        Field(default=None, description="Models of the sweep that it is applied to; default: all.")
    )

    def applies_to(self, model: str) -> bool:
        """Whether the method is asked for on a model."""
        return self.models is None or model in self.models
