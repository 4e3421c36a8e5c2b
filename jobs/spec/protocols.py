"""Protocols: what happens to a network after it was made smaller, before it is evaluated."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jobs import checks
from jobs.spec.base import Name, Record

NO_PROTOCOL = "none"
"""The name of the protocol that does nothing; every sweep has it."""

Protocols = Annotated[
    Annotated[tuple[Name, ...], AfterValidator(checks.not_empty), AfterValidator(checks.no_repeats)],
    Field(
        description="Names of the sweep's protocols, one curve for each; `none`: the network as the method leaves it."
    ),
]


class RecalibrateProtocol(Record):
    """The statistics of the batch norms are estimated anew in the smaller network, without labels."""

    kind: Literal["recalibrate"]
    images: int = Field(default=2048, ge=2, description="Training images, chosen by the seed.")


PROTOCOL_KINDS = ("recalibrate",)
ProtocolSpec = RecalibrateProtocol
