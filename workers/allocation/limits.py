"""Limits on the cost of a network, and whether widths meet them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from workers.allocation._base import Widths
from workers.channels import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """An upper bound on a cost.

    Attributes:
        name: Name of the bounded cost, for messages.
        shared: Added to each of `costs`, such as the parameters to the activations of every step.
        costs: The largest of them counts; empty for `shared` alone.
        budget: Upper bound on `shared` plus the largest of `costs`.
    """

    name: str
    shared: Cost
    costs: Sequence[Cost] = ()
    budget: float

    def value(self, widths: Widths) -> float:
        """The bounded cost at these widths."""
        return float(self.shared(widths) + max((cost(widths) for cost in self.costs), default=0.0))

    def met(self, widths: Widths) -> bool:
        """Whether these widths meet the limit, up to rounding."""
        return self.value(widths) <= self.budget * (1 + 1e-9)
