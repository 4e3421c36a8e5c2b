"""The methods of a sweep: what is done to the networks, and the network as it is."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.spec.base import Record
from jobs.spec.criterion import CriterionMethod
from jobs.spec.integral import IntegralMethod
from jobs.spec.protocols import NO_PROTOCOL, Protocols


class DenseMethod(Record):
    """The network as it is: the control of every sweep."""

    kind: Literal["dense"]
    protocols: Protocols = (NO_PROTOCOL,)


METHOD_KINDS = ("dense", "criterion", "integral")
MethodSpec = Annotated[DenseMethod | CriterionMethod | IntegralMethod, Field(discriminator="kind")]
