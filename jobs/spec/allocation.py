"""Allocations: how many channels each channel group keeps at a target compression.

A plain name stands for the record of that kind with its defaults, an import path for one of the user's own.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, PlainValidator, Tag, model_validator

from jobs import checks, names
from jobs.errors import nearest
from jobs.spec.base import Compression, Compressions, Record

Fraction = Annotated[float, Field(gt=0, le=1)]
Floor = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="Smallest fraction of a group's width to keep (at least one channel), where `prune.floor` says "
        "nothing.",
    ),
]
Normalize = Annotated[
    Literal["none", "group"],
    Field(description="`group`: divide scores by their group's mean before comparing groups."),
]
GivenWidths = Annotated[dict[str, Annotated[int, Field(ge=1)]], AfterValidator(checks.not_empty)]


class AllocationRecord(Record):
    """Base of all allocations."""

    kind: str

    @property
    def wants(self) -> tuple[str, ...]:
        """The inputs that it needs (`jobs.names.ALLOCATIONS`)."""
        return names.ALLOCATIONS[self.kind]

    @property
    def settings(self) -> dict[str, Any]:
        """The keyword arguments of the allocation function."""
        return self.model_dump(exclude={"kind"}, exclude_none=True)


class UniformAllocation(AllocationRecord):
    """Remove the same fraction of every group."""

    kind: Literal["uniform"] = "uniform"


class LeastErrorAllocation(AllocationRecord):
    """Remove channels where the weights change least per unit of cost saved."""

    kind: Literal["least-error"]


class GlobalAllocation(AllocationRecord):
    """One global threshold on the scores of all groups (Network Slimming)."""

    kind: Literal["global"]
    floor: Floor = 0.1
    normalize: Normalize = "none"


class IsomorphicAllocation(AllocationRecord):
    """Rank isomorphic groups (equal structure) together; every such class loses the same fraction."""

    kind: Literal["isomorphic"]
    floor: Floor = 0.1


class SensitivityAllocation(AllocationRecord):
    """Remove channels where the measured loss grows least per unit of cost saved."""

    kind: Literal["sensitivity"]
    images: int = Field(default=512, ge=1, description="Calibration images with labels, drawn by the seed.")
    batch_size: int = Field(default=128, ge=1, description="Images per batch.")
    fractions: Annotated[tuple[Fraction, ...], AfterValidator(checks.not_empty)] = Field(
        default=(0.25, 0.5, 0.75),
        description="Fractions of its width to which each group alone is cut, by one channel at least.",
    )

    @property
    def settings(self) -> dict[str, Any]:
        """None: its fields configure the stage `sense`."""
        return {}


class SpectrumAllocation(AllocationRecord):
    """Keep the sizes that hold one share of the spectrum of every group's channels along their order (Nyquist)."""

    kind: Literal["spectrum"]


class PredefinedAllocation(AllocationRecord):
    """Given widths; the method then has one compression, the nominal one."""

    kind: Literal["predefined"]
    name: Literal[tuple(names.CONFIGURATIONS)] | None = Field(  # type: ignore[valid-type]  # the names are data
        default=None, description="One of the papers' configurations."
    )
    widths: GivenWidths | None = Field(
        default=None, description="Your own: channel group -> channels to keep; other groups keep all."
    )
    compression: Compression | None = Field(
        default=None, description="With `widths`: the compression that they reach, rounded."
    )

    @model_validator(mode="after")
    def _name_or_widths(self) -> Self:
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
    """The proportions that another method found, averaged per stage over all seeds and scaled to the target."""

    kind: Literal["guided"]
    method: str = Field(description="A method of this sweep that chooses its own widths.")
    model: str | None = Field(default=None, description="The model to take the widths from; default: the same model.")


class TemplateAllocation(AllocationRecord):
    """The proportions of a template, scaled to the target."""

    kind: Literal["template"]
    fractions: Annotated[tuple[Fraction, ...], AfterValidator(checks.not_empty)] = Field(
        description="Fraction kept per stage (equal spatial resolution), from first to last; networks with another "
        "number of stages are matched by relative depth."
    )


class BestScoreAllocation(AllocationRecord):
    """The widths with the largest total score under all limits at once, by CP-SAT."""

    kind: Literal["best-score"]
    macs: Fraction | None = Field(
        default=None, description="Upper limit on MACs, as a fraction of the dense network's."
    )
    latency: Fraction | None = Field(default=None, description="Upper limit on profiled latency, as a fraction.")
    memory: Fraction | None = Field(default=None, description="Upper limit on peak memory, as a fraction.")
    multiple: int = Field(
        default=8,
        ge=1,
        description="Widths are multiples of this, or full. One `prune.multiple` for all layers can only raise it, one "
        "by patterns takes its place.",
    )
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
        default=(), description="The inputs that it declares to need."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its keyword arguments.")

    @property
    def wants(self) -> tuple[str, ...]:
        """Its declared needs."""
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
    | SpectrumAllocation
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
    "spectrum": SpectrumAllocation,
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
"""The forms in which a sweep file can give an allocation."""

ALLOCATION_KINDS = (*names.ALLOCATIONS, "own")
AllocationField = Annotated[
    Annotated[AllocationSpec, PlainValidator(_named, json_schema_input_type=str), Tag("name")]
    | Annotated[AllocationSpec, Field(discriminator="kind"), Tag("record")],
    Discriminator(_tag),
    Field(description="How many channels each group keeps: a kind, or a record with its settings."),
]


def check_needs(allocation: AllocationSpec, lacking: Mapping[str, str]) -> None:
    """Reject an allocation that looks at what a method does not have.

    Args:
        allocation: The allocation.
        lacking: Inputs that the method has not, each with why.

    Raises:
        PydanticCustomError: It needs one of them.
    """
    for need in allocation.wants:
        if need in lacking:
            raise checks.fault(
                f"its allocation, {allocation.kind}, needs {need}, and {lacking[need]}; use another one, such as "
                "least-error"
            )


NO_FUNCTIONS = {"spectra": "only the channels of integral methods are samples of functions, which have one"}
"""What every method lacks that gives channels no order."""


def check_rounds(allocation: AllocationSpec, rounds: int) -> None:
    """Reject several rounds for a method whose widths are given.

    Raises:
        PydanticCustomError: There are several.
    """
    if isinstance(allocation, PredefinedAllocation) and rounds > 1:
        raise checks.fault("its widths are predefined, and reached at once; remove `rounds`, or choose `prune.ratios`")


def check_compressions(allocation: AllocationSpec, compressions: Compressions | None) -> None:
    """Reject compressions for a method whose widths are given.

    Raises:
        PydanticCustomError: Both are given.
    """
    if isinstance(allocation, PredefinedAllocation) and compressions is not None:
        raise checks.fault(
            f"its widths are predefined and remove {allocation.nominal:.0%}; remove `compressions`, or choose "
            "another allocation"
        )
