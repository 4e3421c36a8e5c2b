"""What all methods have in common: the models and protocols that they are run with."""

from typing import Annotated

from pydantic import AfterValidator, Field

from jobs import checks
from jobs.spec.base import Name, Record
from jobs.spec.protocols import NO_PROTOCOL

Names = Annotated[tuple[Name, ...], AfterValidator(checks.not_empty), AfterValidator(checks.no_repeats)]


class MethodBase(Record):
    """The base of every method."""

    models: Names | None = Field(default=None, description="Models of the sweep to apply it to; default: all.")
    protocols: Names = Field(
        default=(NO_PROTOCOL,),
        description="Names of the sweep's protocols, one curve each; `none`: no further training or correction.",
    )

    def applies_to(self, model: str) -> bool:
        """Whether the sweep runs the method on a model."""
        return self.models is None or model in self.models
