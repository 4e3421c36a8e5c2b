"""What may be cut, and how far: layers by patterns of their names, whatever chooses the widths of the others.

It can be said for the sweep, for a model and for a method; the narrower one counts.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from jobs import checks
from jobs.spec.base import CountOrFraction, Record

ALL = "*"
"""The pattern that matches everything: what a plain number stands for."""

Pattern = Annotated[str, Field(min_length=1)]


def _for_all(value: Any) -> Any:
    """A plain number as one for all layers; pairs, as a record of a sweep has them, as a mapping."""
    if isinstance(value, list) and all(isinstance(each, list) and len(each) == 2 for each in value):
        return dict(value)
    return {ALL: value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _channels_or_fraction(value: int | float) -> int | float:
    """Accept a fraction below 1 and a whole number; reject all else."""
    if value < 0 or (value >= 1 and not isinstance(value, int)):
        raise checks.fault(f"{value} is neither a fraction below 1 nor a whole number of channels; give one of them")
    return value


_IN_ORDER = PlainSerializer(lambda given: [list(pair) for pair in given.items()], when_used="json")
"""As pairs: records are written with sorted keys, and the order of patterns counts."""

Ratio = Annotated[float, Field(ge=0, lt=1)]
Multiple = Annotated[int, Field(ge=1)]
FloorValue = Annotated[CountOrFraction, AfterValidator(_channels_or_fraction)]
Multiples = Annotated[
    dict[Pattern, Multiple],
    BeforeValidator(_for_all, json_schema_input_type=Multiple | dict[Pattern, Multiple]),
    _IN_ORDER,
]
Floors = Annotated[
    dict[Pattern, FloorValue],
    BeforeValidator(_for_all, json_schema_input_type=FloorValue | dict[Pattern, FloorValue]),
    _IN_ORDER,
]
Ratios = Annotated[
    dict[Pattern, Ratio], BeforeValidator(_for_all, json_schema_input_type=dict[Pattern, Ratio]), _IN_ORDER
]


class PruneSpec(Record):
    """Which channels may go, for every method that removes some.

    Patterns are those of file names (`layer1.*`, `*.conv1`), of the names of layers, of the modules that hold them and
    of channel groups; `orchard groups` shows these. Coupled channels go together: what is said of a layer holds for
    its whole group. One that matches nothing is an error. Of several patterns that match, the last one counts.
    """

    keep: tuple[Pattern, ...] | None = Field(default=None, description="Layers that stay whole.")
    only: tuple[Pattern, ...] | None = Field(
        default=None,
        description="Nothing else may go: channel groups by their full name, or all of whose layers match.",
    )
    ratios: Ratios | None = Field(
        default=None,
        description="Fractions of their channels that these layers lose, at every compression; the others lose what "
        "is left to reach it.",
    )
    multiple: Multiples | None = Field(
        default=None,
        description="Widths are multiples of this, or full: runtimes compute whole vectors, and 8 is a good choice. "
        "A number, or one for each pattern.",
    )
    floor: Floors | None = Field(
        default=None,
        description="What stays at least: a number of channels (from 1), or a fraction of them (below 1), or one of "
        "these for each pattern. Default: that of the allocation, or one channel.",
    )

    def overridden_by(self, other: "PruneSpec | None") -> Self:
        """These settings with those of a narrower record, whose lists replace and whose patterns come last."""
        if other is None:
            return self
        said = {name: value for name in type(self).model_fields if (value := getattr(other, name)) is not None}
        return self.model_copy(update={name: _merged(getattr(self, name), value) for name, value in said.items()})

    @property
    def common_multiple(self) -> int | None:
        """The multiple, where it is one for all; 1 where nothing is said."""
        if self.multiple is None:
            return 1
        return self.multiple[ALL] if list(self.multiple) == [ALL] else None


def _merged(wide: Any, narrow: Any) -> Any:
    if not isinstance(wide, Mapping) or not isinstance(narrow, Mapping):
        return narrow
    return {**{name: value for name, value in wide.items() if name not in narrow}, **narrow}
