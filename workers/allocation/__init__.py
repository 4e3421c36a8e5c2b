"""How much of which layer goes: from a target compression to a width per channel group."""

from collections.abc import Mapping

from workers.allocation._base import Allocation, Allocator, Errors
from workers.allocation.errors import merging_errors, removal_errors
from workers.allocation.least_error import least_error
from workers.allocation.uniform import uniform

ALLOCATIONS: Mapping[str, Allocator] = {"least-error": least_error, "uniform": uniform}
"""The allocations that a sweep can name."""

__all__ = ["ALLOCATIONS", "Allocation", "Allocator", "Errors", "merging_errors", "removal_errors"]
