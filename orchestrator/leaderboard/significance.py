"""Whether two methods differ by more than their seeds do."""

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_PAIRS = 2
_ROUNDING = 1e-12
"""Of a value: what differs by less is the same, but for the rounding of floats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """Student's t-test of the differences of pairs.

    Attributes:
        pairs: How many there are.
        p: Two-sided; None where nothing can be told: there are too few pairs, or all differ by the same.
        same: Whether no pair differs at all.
    """

    pairs: int
    p: float | None
    same: bool = False

    def __str__(self) -> str:
        if self.p is not None:
            return f"{'< 0.001' if self.p < 0.001 else f'{self.p:.3f}'} ({self.pairs})"
        if self.pairs < LEAST_PAIRS:
            return "one pair" if self.pairs else "no pair"
        return f"{'the same' if self.same else 'no spread'} ({self.pairs})"


def paired_test(pairs: Sequence[tuple[float, float]]) -> PairedTest:
    """Test whether the differences of pairs are zero on average, as far as normal ones would tell.

    Args:
        pairs: The values of two networks each; no two pairs have the same networks.
    """
    if len(pairs) < LEAST_PAIRS:
        return PairedTest(pairs=len(pairs), p=None)
    differences = [value - other for value, other in pairs]
    rounding = _ROUNDING * max(abs(value) for pair in pairs for value in pair)
    if max(differences) - min(differences) <= rounding:
        return PairedTest(pairs=len(pairs), p=None, same=max(map(abs, differences)) <= rounding)
    from scipy.stats import ttest_1samp

    return PairedTest(pairs=len(pairs), p=float(ttest_1samp(differences, 0.0).pvalue))
