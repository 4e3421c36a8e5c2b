"""What a method's curve says at one size of the network: between measured points, never beyond them. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.results import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A size at which networks are compared.

    Attributes:
        cost: What is smaller: `MACs` or `parameters`.
        ratio: The metric that has the dense network's over the pruned one's.
        factor: That ratio.
    """

    cost: str
    ratio: str
    factor: float

    @property
    def title(self) -> str:
        """`2x fewer MACs`."""
        return f"{self.factor:g}x fewer {self.cost}"


FACTORS = (2.0, 4.0, 8.0)
LEVELS = tuple(
    Level(cost=cost, ratio=ratio, factor=factor)
    for cost, ratio in (("MACs", "speedup"), ("parameters", "compression_ratio"))
    for factor in FACTORS
)
"""Equal multiply-accumulates and equal parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The measured points on both sides of a level; the same one twice where it lies there.

    Attributes:
        low: The larger network.
        high: The smaller one.
        share: How far the level is from `low` to `high`, in [0, 1], on a logarithmic axis of sizes.
    """

    low: Point
    high: Point
    share: float

    @property
    def keys(self) -> tuple[str, str]:
        """The tasks that measured them."""
        return self.low.key, self.high.key

    @property
    def value(self) -> float:
        """The primary metric at the level."""
        return self.mean(self.low.value, self.high.value)

    def mean(self, low: float, high: float) -> float:
        """The value at the level of something that both points have."""
        return low + self.share * (high - low)


def at_level(points: Iterable[Point], level: Level) -> Between | None:
    """The points of one curve around a level; None where they do not lie on both sides of it.

    The curve is linear between neighbours over the logarithm of the ratio. What is asked to remove nothing, and what is
    no smaller than the dense network, is no point of it, whatever was done to it.
    """
    sized = sorted(
        (
            (ratio, point)
            for point in points
            if point.asked and 1 < (ratio := point.metrics.get(level.ratio, math.nan)) < math.inf
        ),
        key=lambda each: (each[0], each[1].asked),
    )
    exact = next((point for ratio, point in sized if ratio == level.factor), None)
    if exact is not None:
        return Between(low=exact, high=exact, share=0.0)
    for (low, larger), (high, smaller) in pairwise(sized):
        if low < level.factor < high:
            share = math.log(level.factor / low) / math.log(high / low)
            return Between(low=larger, high=smaller, share=share)
    return None
