"""The base class of all records of the sweep file, and the types of single values."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from jobs import checks

Compression = Annotated[
    float, Field(ge=0.0, lt=1.0), BeforeValidator(checks.no_percentage), AfterValidator(checks.whole_percent)
]
Compressions = Annotated[tuple[Compression, ...], AfterValidator(checks.not_empty), AfterValidator(checks.no_repeats)]
CountOrFraction = Annotated[int | float, BeforeValidator(checks.number)]
"""A whole number counts, and another one is a fraction: 1 is not 1.0."""

Fractions = Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], AfterValidator(checks.increasing)]
Location = Annotated[str, AfterValidator(checks.absolute)]
Weights = Annotated[str, AfterValidator(checks.weights)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=80)]


class Record(BaseModel):
    """Base of all parts of a sweep file: frozen, strict types, no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
