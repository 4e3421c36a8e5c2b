"""The inputs of a network, where they are not said by its data set."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from jobs import checks
from jobs.spec.base import Record

NumberType = Literal["float", "int64", "int32", "int16", "int8", "uint8", "bool"]


class TensorSpec(Record):
    """One tensor among the inputs of a network, of one sample."""

    shape: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        description="Its shape without the batch, such as `[3, 32, 32]`; `[]` for one number for each sample."
    )
    dtype: NumberType = Field(
        default="float", description="Type of its numbers; `float` is the network's own floating-point type."
    )
    low: int = Field(default=0, description="Of whole numbers, the lowest one that examples have.")
    high: int | None = Field(
        default=None,
        description="Of whole numbers, the first one that examples do not reach, such as the size of a vocabulary.",
    )

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        whole = self.dtype not in ("float", "bool")
        if not whole and (self.low or self.high is not None):
            raise checks.fault(
                f"`low` and `high` are of whole numbers; remove them, or set another dtype than {self.dtype}"
            )
        if whole and self.high is None:
            raise checks.fault(
                f"has dtype {self.dtype} and no `high`; give it: the numbers of examples are from `low` to below it"
            )
        if self.high is not None and self.high <= self.low:
            raise checks.fault(f"has low {self.low} and high {self.high}; `high` has to be above `low`")
        return self


INPUT_FORMS = ("list", "mapping")

_Argument = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


def _form(given: object) -> str:
    return "mapping" if isinstance(given, dict) else "list"


NetworkInputs = Annotated[
    Annotated[tuple[TensorSpec, ...], AfterValidator(checks.not_empty), Tag("list")]
    | Annotated[dict[_Argument, TensorSpec], AfterValidator(checks.not_empty), Tag("mapping")],
    Discriminator(_form),
]
"""A list of positional arguments, or a mapping of keyword arguments."""
