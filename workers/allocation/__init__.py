"""How much of which layer goes: from a target compression to a width per channel group."""

from workers.allocation.uniform import Allocation, uniform_widths

__all__ = ["Allocation", "uniform_widths"]
