"""How drivers that run on one cluster share it: by priority, and evenly among equals.

A pure function; each driver computes it from the same claims and keeps to its own part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one sweep could use now.

    Attributes:
        sweep: Its name.
        priority: Higher ones go first.
        demand: Slots that its ready and running tasks would fill.
    """

    sweep: str
    priority: int
    demand: float


def shares(slots: float, claims: Sequence[Claim]) -> Mapping[str, float]:
    """The slots of each sweep: higher priorities are served first, equal ones max-min fairly.

    Nobody gets more than it demands, and together they get what there is or what they demand, whichever is less.

    Args:
        slots: What there is to share.
        claims: One per sweep.
    """
    parts: dict[str, float] = {}
    left = slots
    for _, equal in groupby(sorted(claims, key=lambda claim: -claim.priority), key=lambda claim: claim.priority):
        waiting = sorted(equal, key=lambda claim: (claim.demand, claim.sweep))
        for index, claim in enumerate(waiting):
            part = min(claim.demand, left / (len(waiting) - index))
            parts[claim.sweep] = part
            left -= part
    return parts
