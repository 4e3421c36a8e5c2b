"""Shares a cluster between sweeps: by priority, and evenly (max-min fair) among equals.

A pure function; each driver computes it from the same claims and keeps to its own share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The demand of one sweep.

    Attributes:
        sweep: Its name.
        priority: Higher priorities are served first.
        demand: Slots that its ready and running tasks would occupy.
    """

    sweep: str
    priority: int
    demand: float


def shares(slots: float, claims: Sequence[Claim]) -> Mapping[str, float]:
    """The slots of each sweep: higher priorities are served first, equal ones max-min fairly.

    No sweep gets more than its demand; together they get all slots or their total demand, whichever is less.

    Args:
        slots: Slots to share.
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
