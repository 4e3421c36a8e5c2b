"""The methods of a sweep: what is done to the networks, and the network as it is."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.spec.asked import ForModels
from jobs.spec.criterion import CriterionMethod
from jobs.spec.integral import IntegralMethod
from jobs.spec.protocols import NO_PROTOCOL, Protocols
from jobs.spec.reconstruction import ReconstructionMethod
from jobs.spec.unstructured import UnstructuredMethod


class DenseMethod(ForModels):
    """The network as it is: the control of every sweep."""

    kind: Literal["dense"]
    protocols: Protocols = (NO_PROTOCOL,)


METHOD_KINDS = ("dense", "criterion", "integral", "reconstruction", "unstructured")
MethodSpec = Annotated[
    DenseMethod | CriterionMethod | IntegralMethod | ReconstructionMethod | UnstructuredMethod,
    Field(discriminator="kind"),
]
