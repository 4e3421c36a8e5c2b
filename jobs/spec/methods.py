"""The methods of a sweep, as a tagged union: the dense control and all ways of pruning."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.spec.criterion import CriterionMethod
from jobs.spec.fold import FoldMethod
from jobs.spec.integral import IntegralMethod
from jobs.spec.method import MethodBase
from jobs.spec.reconstruction import ReconstructionMethod
from jobs.spec.unstructured import UnstructuredMethod


class DenseMethod(MethodBase):
    """The unpruned network: the control of every sweep."""

    kind: Literal["dense"]


class BicubicMethod(MethodBase):
    """Bicubic enlargement, which learns nothing: the control of super-resolution, besides the unpruned network."""

    kind: Literal["bicubic"]


METHOD_KINDS = ("dense", "bicubic", "criterion", "integral", "fold", "reconstruction", "unstructured")
MethodSpec = Annotated[
    DenseMethod
    | BicubicMethod
    | CriterionMethod
    | IntegralMethod
    | FoldMethod
    | ReconstructionMethod
    | UnstructuredMethod,
    Field(discriminator="kind"),
]
