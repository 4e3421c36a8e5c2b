"""Limits on what a network may cost, and the widths that meet them.

Knows costs; refuses to know what a channel is worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from workers.allocation._base import Widths
from workers.channels import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """An upper bound.

    Attributes:
        name: What is bounded, in words.
        shared: What is added to each of the costs, such as the parameters to the activations of every step.
        costs: The largest of them counts; empty for `shared` alone.
        budget: What `shared` and the largest of `costs` may come to together.
    """

    name: str
    shared: Cost
    costs: Sequence[Cost] = ()
    budget: float

    def value(self, widths: Widths) -> float:
        """What is bounded, at these widths."""
        return float(self.shared(widths) + max((cost(widths) for cost in self.costs), default=0.0))

    def met(self, widths: Widths) -> bool:
        """Whether these widths keep to it, but for rounding."""
        return self.value(widths) <= self.budget * (1 + 1e-9)
