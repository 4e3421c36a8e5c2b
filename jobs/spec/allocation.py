"""How much of which channel group goes: the allocations that a method can name, each with its settings.

A plain name stands for the record of that kind with its defaults, and an import path for one of the user's own.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, PlainValidator, Tag, model_validator

from jobs import checks, names
from jobs.errors import nearest
from jobs.spec.base import Compression, Compressions, Record

Fraction = Annotated[float, Field(gt=0, le=1)]
Floor = Annotated[
    float, Field(ge=0, lt=1, description="Fraction of each group's width that stays, and at least one channel.")
]
Normalize = Annotated[
    Literal["none", "group"],
    Field(description="`group`: scores are divided by their group's mean before groups are compared."),
]
GivenWidths = Annotated[dict[str, Annotated[int, Field(ge=1)]], AfterValidator(checks.not_empty)]


class AllocationRecord(Record):
    """What all allocations have."""

    kind: str

    @property
    def wants(self) -> tuple[str, ...]:
        """What it needs to look at (`jobs.names.ALLOCATIONS`)."""
        return names.ALLOCATIONS[self.kind]

    @property
    def settings(self) -> dict[str, Any]:
        """What the allocation itself is told, as keyword arguments."""
        return self.model_dump(exclude={"kind"}, exclude_none=True)


class UniformAllocation(AllocationRecord):
    """The same fraction of every group."""

    kind: Literal["uniform"] = "uniform"


class LeastErrorAllocation(AllocationRecord):
    """Channels go where the weights change least per cost saved."""

    kind: Literal["least-error"]


class GlobalAllocation(AllocationRecord):
    """One threshold on the scores of all groups (network slimming)."""

    kind: Literal["global"]
    floor: Floor = 0.1
    normalize: Normalize = "none"


class IsomorphicAllocation(AllocationRecord):
    """Groups that are built alike are ranked together, and every such class loses the same fraction."""

    kind: Literal["isomorphic"]
    floor: Floor = 0.1


class SensitivityAllocation(AllocationRecord):
    """Channels go where the measured loss grows least per cost saved."""

    kind: Literal["sensitivity"]
    images: int = Field(default=512, ge=1, description="Training images with labels, chosen by the seed.")
    batch_size: int = Field(default=128, ge=1, description="Images per batch.")
    fractions: Annotated[tuple[Fraction, ...], AfterValidator(checks.not_empty)] = Field(
        default=(0.25, 0.5, 0.75), description="Each group alone is cut to these fractions of its width."
    )

    @property
    def settings(self) -> dict[str, Any]:
        """None: what it is told steers the measurement."""
        return {}


class PredefinedAllocation(AllocationRecord):
    """Widths that are written down; the method then has one compression, the nominal one."""

    kind: Literal["predefined"]
    name: Literal[tuple(names.CONFIGURATIONS)] | None = Field(  # type: ignore[valid-type]  # the names are data
        default=None, description="One of the papers' configurations."
    )
    widths: GivenWidths | None = Field(
        default=None, description="Your own: channel group -> channels that stay; others stay whole."
    )
    compression: Compression | None = Field(
        default=None, description="With `widths`: the fraction of the parameters that they remove, rounded."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.name is None) == (self.widths is None):
            raise checks.fault("needs either `name` or `widths`; give one of them")
        if (self.widths is None) != (self.compression is None):
            raise checks.fault("`widths` and `compression` go together; a configuration with a name has its own")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """The widths, by name or in full."""
        return self.model_dump(include={"name", "widths"}, exclude_none=True)

    @property
    def nominal(self) -> float:
        """The one compression of a method with these widths."""
        return names.CONFIGURATIONS[self.name] if self.name else self.compression or 0.0


class GuidedAllocation(AllocationRecord):
    """In the proportions that another method found, averaged per stage over all seeds, scaled to the target."""

    kind: Literal["guided"]
    method: str = Field(description="A method of this sweep that chooses widths itself.")
    model: str | None = Field(default=None, description="The model on which it found them; default: the same one.")


class TemplateAllocation(AllocationRecord):
    """In the proportions of a template, scaled to the target."""

    kind: Literal["template"]
    fractions: Annotated[tuple[Fraction, ...], AfterValidator(checks.not_empty)] = Field(
        description="What stays per stage (equal spatial resolution), from the first to the last; networks with other "
        "numbers of stages follow it at equal relative depth."
    )


class BestScoreAllocation(AllocationRecord):
    """The widths that keep the most score under all limits at once, by CP-SAT."""

    kind: Literal["best-score"]
    macs: Fraction | None = Field(default=None, description="Fraction of the multiply-accumulates that may stay.")
    latency: Fraction | None = Field(default=None, description="Fraction of the latency, as profiled, that may stay.")
    memory: Fraction | None = Field(default=None, description="Fraction of the peak memory that may stay.")
    multiple: int = Field(default=8, ge=1, description="Widths are multiples of it, or full.")
    floor: Floor = 0.1
    normalize: Normalize = "none"

    @property
    def wants(self) -> tuple[str, ...]:
        """Scores, and a profile where latency is limited."""
        return ("scores", "latency") if self.latency is not None else ("scores",)


class OwnAllocation(AllocationRecord):
    """One of your own."""

    kind: Literal["own"]
    choose: Annotated[str, AfterValidator(checks.known_or_own(()))] = Field(
        description="`package.module:callable`, declared by `@workers.allocation.allocator()`."
    )
    needs: tuple[Literal["scores", "weights", "losses", "latency"], ...] = Field(
        default=(), description="What it declares to need."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its keyword arguments.")

    @property
    def wants(self) -> tuple[str, ...]:
        """What it says."""
        return self.needs

    @property
    def settings(self) -> dict[str, Any]:
        """Its keyword arguments."""
        return self.arguments


AllocationSpec = (
    UniformAllocation
    | LeastErrorAllocation
    | GlobalAllocation
    | IsomorphicAllocation
    | SensitivityAllocation
    | PredefinedAllocation
    | GuidedAllocation
    | TemplateAllocation
    | BestScoreAllocation
    | OwnAllocation
)
_WITH_DEFAULTS: Mapping[str, type[AllocationRecord]] = {
    "best-score": BestScoreAllocation,
    "global": GlobalAllocation,
    "isomorphic": IsomorphicAllocation,
    "least-error": LeastErrorAllocation,
    "sensitivity": SensitivityAllocation,
    "uniform": UniformAllocation,
}


def _named(name: str) -> AllocationRecord:
    """The record that a plain name stands for, or an import path."""
    if ":" in name:
        return OwnAllocation.model_validate({"kind": "own", "choose": name})
    if name in _WITH_DEFAULTS:
        return _WITH_DEFAULTS[name].model_validate({"kind": name})
    if name in ALLOCATION_KINDS:
        raise checks.fault(f"{name} needs settings; write a record, {{kind: {name}, ...}}")
    raise checks.fault(f"kind '{name}' is unknown; {nearest(name, ALLOCATION_KINDS)}")


def _tag(value: Any) -> str:
    return ALLOCATION_FORMS[0] if isinstance(value, str) else ALLOCATION_FORMS[1]


ALLOCATION_FORMS = ("name", "record")
"""How an allocation can be written."""

ALLOCATION_KINDS = (*names.ALLOCATIONS, "own")
Allocation = Annotated[
    Annotated[AllocationSpec, PlainValidator(_named, json_schema_input_type=str), Tag("name")]
    | Annotated[AllocationSpec, Field(discriminator="kind"), Tag("record")],
    Discriminator(_tag),
    Field(description="How much of which group goes: a kind, or a record with its settings."),
]


def check_compressions(allocation: AllocationSpec, compressions: Compressions | None) -> None:
    """Refuse compressions beside widths that are written down.

    Raises:
        PydanticCustomError: There are some.
    """
    if isinstance(allocation, PredefinedAllocation) and compressions is not None:
        raise checks.fault(
            f"its widths are written down and remove {allocation.nominal:.0%}; remove `compressions`, or choose "
            "another allocation"
        )
