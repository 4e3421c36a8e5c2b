"""What every method is asked for: on which models, and with which protocols."""

from typing import Annotated

from pydantic import AfterValidator, Field

from jobs import checks
from jobs.spec.base import Name, Record
from jobs.spec.protocols import NO_PROTOCOL

Names = Annotated[tuple[Name, ...], AfterValidator(checks.not_empty), AfterValidator(checks.no_repeats)]


class MethodBase(Record):
    """The base of every method."""

    models: Names | None = Field(default=None, description="Models of the sweep that it is applied to; default: all.")
    protocols: Names = Field(
        default=(NO_PROTOCOL,),
        description="Names of the sweep's protocols, one curve for each; `none`: the network as the method leaves it.",
    )

    def applies_to(self, model: str) -> bool:
        """Whether the method is asked for on a model."""
        return self.models is None or model in self.models
