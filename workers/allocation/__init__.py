"""Allocations: how many channels of each group stay, from a target compression to a width per channel group.

Short allocations are grouped by approach: `proportions`, `ranking`, `greedy`; longer ones have a file of their own. To
add one, write it and add a line here and in `jobs.names`; one of the user's own is named by its import path.
"""

from collections.abc import Mapping
from types import MappingProxyType

from workers.allocation._base import (
    Allocation,
    AllocationProblem,
    Allocator,
    Bounds,
    Design,
    Errors,
    allocate,
    allocator,
    missed,
)
from workers.allocation.best_score import best_score
from workers.allocation.depth import design_template
from workers.allocation.errors import folding_errors, loss_curve, merging_errors, removal_errors
from workers.allocation.greedy import least_error, sensitivity
from workers.allocation.isomorphic import isomorphic
from workers.allocation.latency import latency_cost
from workers.allocation.predefined import CONFIGURATIONS, predefined
from workers.allocation.proportions import guided, template, uniform
from workers.allocation.ranges import WidthRange, ranges_of
from workers.allocation.ranking import global_threshold
from workers.allocation.spectral import spectra, spectral
from workers.factories import find_declared

ALLOCATIONS: Mapping[str, Allocator] = MappingProxyType(
    {
        "best-score": best_score,
        "global": global_threshold,
        "guided": guided,
        "isomorphic": isomorphic,
        "least-error": least_error,
        "predefined": predefined,
        "sensitivity": sensitivity,
        "spectrum": spectral,
        "template": template,
        "uniform": uniform,
    }
)
"""The allocations that a sweep can name."""

__all__ = [
    "ALLOCATIONS",
    "CONFIGURATIONS",
    "Allocation",
    "AllocationProblem",
    "Allocator",
    "Bounds",
    "Design",
    "Errors",
    "WidthRange",
    "allocate",
    "allocator",
    "design_template",
    "find_allocator",
    "folding_errors",
    "latency_cost",
    "loss_curve",
    "merging_errors",
    "missed",
    "ranges_of",
    "removal_errors",
    "spectra",
]


def find_allocator(name: str) -> Allocator:
    """One of ours, or one of the user's own as `package.module:callable`.

    Raises:
        BadInputError: The name is unknown, or what it names is no allocation.
    """
    return find_declared(
        name,
        ALLOCATIONS,
        Allocator,
        where=f"allocation '{name}'",
        declare="@workers.allocation.allocator()",
    )
