"""What holds for the widths of all pruned networks of a sweep, whatever chooses them."""

from pydantic import Field

from jobs.spec.base import Record


class PruneSpec(Record):
    """Widths that every method has to keep to; those that a sweep file lists itself are left as they are."""

    multiple: int = Field(
        default=1,
        ge=1,
        description="Widths are multiples of this, or full: runtimes compute whole vectors, and 8 is a good choice.",
    )
