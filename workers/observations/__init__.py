"""Observations: calibration passes that compute statistics per unit, for `criteria`. One file each.

One calibration pass serves every criterion that reads it. To add one, write its file and add a line here and in
`jobs.names`; one of the user's own is named by its import path.
"""

from collections.abc import Mapping
from types import MappingProxyType

from workers.factories import find_declared
from workers.observations._base import Batches, Observation, Observed, observation
from workers.observations.activations import activations
from workers.observations.curvature import curvature
from workers.observations.gradients import gradients
from workers.observations.independence import independence
from workers.observations.ranks import ranks
from workers.observations.removals import removals
from workers.observations.units import sum_per_unit
from workers.observations.watching import WatchPoint, find_points, watching

OBSERVATIONS: Mapping[str, Observation] = MappingProxyType(
    {
        "activations": activations,
        "curvature": curvature,
        "gradients": gradients,
        "independence": independence,
        "ranks": ranks,
        "removals": removals,
    }
)
"""The observations that criteria read."""

__all__ = [
    "OBSERVATIONS",
    "Batches",
    "Observation",
    "Observed",
    "WatchPoint",
    "find_observation",
    "find_points",
    "observation",
    "sum_per_unit",
    "watching",
]


def find_observation(name: str) -> Observation:
    """One of ours, or one of the user's own as `package.module:callable`.

    Raises:
        BadInputError: The name is unknown, or what it names is no observation.
    """
    return find_declared(
        name,
        OBSERVATIONS,
        Observation,
        where=f"observation '{name}'",
        declare="@workers.observations.observation(needs=...)",
    )
