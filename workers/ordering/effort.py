"""How much work an effort stands for: counts and deterministic time, never seconds.

The numbers change the result, so they belong into a task's key: ``dataclasses.asdict(limits(effort))``. This module
refuses to know what the work is spent on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Effort = Literal["fast", "standard", "thorough"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the portfolio's members.

    Attributes:
        num_starts: Paths that local search improves independently.
        kicks_per_channel: Kicks of each, per channel ...
        max_kicks: ... and at most.
        routing_work: Solutions of the routing solver times n (its time per solution grows like n^2) ...
        max_solutions: ... and at most so many solutions.
        ascent_iterations: Steps of the Held-Karp bound.
        merge_time: CP-SAT's deterministic time for recombining the paths.
        exact_time: CP-SAT's deterministic time for the proof.
        exact_edges: The proof is not tried with more useful edges than this (a quarter of it, before paths are merged).
    """

    num_starts: int
    kicks_per_channel: int
    max_kicks: int
    routing_work: int
    max_solutions: int
    ascent_iterations: int
    merge_time: float
    exact_time: float
    exact_edges: int

    def kicks(self, n: int) -> int:
        """Kicks of one start on n channels."""
        return min(self.kicks_per_channel * n, self.max_kicks)

    def solutions(self, n: int) -> int:
        """Solutions of the routing solver on n channels; 0 when n is too large for it to get anywhere."""
        allowed = min(self.routing_work // n, self.max_solutions)
        return allowed if allowed >= _FEWEST_SOLUTIONS else 0


_FEWEST_SOLUTIONS = 4

_LIMITS: dict[str, Limits] = {
    "fast": Limits(
        num_starts=1,
        kicks_per_channel=4,
        max_kicks=1000,
        routing_work=2_000,
        max_solutions=20,
        ascent_iterations=60,
        merge_time=0.1,
        exact_time=0.2,
        exact_edges=1_200,
    ),
    "standard": Limits(
        num_starts=4,
        kicks_per_channel=6,
        max_kicks=4000,
        routing_work=2_000,
        max_solutions=12,
        ascent_iterations=200,
        merge_time=0.5,
        exact_time=0.2,
        exact_edges=1_000,
    ),
    "thorough": Limits(
        num_starts=10,
        kicks_per_channel=10,
        max_kicks=5000,
        routing_work=50_000,
        max_solutions=300,
        ascent_iterations=400,
        merge_time=8.0,
        exact_time=20.0,
        exact_edges=20_000,
    ),
}


def limits(effort: Effort) -> Limits:
    """The limits of an effort.

    Args:
        effort: ``fast``, ``standard`` or ``thorough``.

    Returns:
        Its limits.

    Raises:
        ValueError: Another name.
    """
    if effort not in _LIMITS:
        raise ValueError(f"effort: {effort!r} is not one of {', '.join(_LIMITS)}")
    return _LIMITS[effort]
