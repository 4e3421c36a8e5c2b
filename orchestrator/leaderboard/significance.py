"""Whether two methods differ by more than their seeds do."""

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_PAIRS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """Student's t-test of the differences of pairs.

    Attributes:
        pairs: How many there are.
        p: Two-sided; None where there are too few pairs, or all differences are the same.
    """

    pairs: int
    p: float | None

    def __str__(self) -> str:
        if self.p is None:
            return "one pair" if self.pairs < LEAST_PAIRS else f"the same ({self.pairs})"
        return f"{'< 0.001' if self.p < 0.001 else f'{self.p:.3f}'} ({self.pairs})"


def paired_test(differences: Sequence[float]) -> PairedTest:
    """Test whether paired differences are zero on average, as far as normal ones would tell.

    Args:
        differences: One for each pair of networks that differ from those of all other pairs.
    """
    if len(differences) < LEAST_PAIRS or len(set(differences)) == 1:
        return PairedTest(pairs=len(differences), p=None)
    from scipy.stats import ttest_1samp

    return PairedTest(pairs=len(differences), p=float(ttest_1samp(differences, 0.0).pvalue))
