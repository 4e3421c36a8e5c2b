"""Solver limits of each effort of the channel ordering: counts and deterministic time, not seconds.

They change the result, so they are part of the key of every task that orders channels.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from jobs.spec.base import Record

Effort = Literal["fast", "standard", "thorough"]

_FEWEST_SOLUTIONS = 4


class SolverLimits(Record):
    """Limits of the solvers in the portfolio of the channel ordering."""

    num_starts: int = Field(ge=1, description="Number of independent local searches.")
    kicks_per_channel: int = Field(ge=0, description="Kicks per search and channel ...")
    max_kicks: int = Field(ge=0, description="... and at most per search.")
    routing_work: int = Field(
        ge=0, description="Solutions of the routing solver times n (its time per solution grows like n^2) ..."
    )
    max_solutions: int = Field(ge=0, description="... and at most this many solutions.")
    ascent_iterations: int = Field(ge=1, description="Steps of the Held-Karp bound.")
    merge_time: float = Field(gt=0, description="CP-SAT's deterministic time for recombining the paths.")
    exact_time: float = Field(gt=0, description="CP-SAT's deterministic time for the proof.")
    exact_edges: int = Field(
        ge=0,
        description="The proof is not tried with more useful edges than this (a quarter, before paths are merged).",
    )

    def kicks(self, n: int) -> int:
        """Number of kicks of one local search on n channels."""
        return min(self.kicks_per_channel * n, self.max_kicks)

    def solutions(self, n: int) -> int:
        """Solution limit of the routing solver on n channels; 0 when n is too large for it to be useful."""
        allowed = min(self.routing_work // n, self.max_solutions)
        return allowed if allowed >= _FEWEST_SOLUTIONS else 0


EFFORTS: Mapping[Effort, SolverLimits] = {
    "fast": SolverLimits(
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
    "standard": SolverLimits(
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
    "thorough": SolverLimits(
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
"""The limits of every effort that a sweep can name."""
