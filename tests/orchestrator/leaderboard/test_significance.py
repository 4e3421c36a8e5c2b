import warnings

import pytest
from scipy.stats import ttest_rel

from orchestrator.leaderboard.significance import paired_test


def test_it_is_the_paired_t_test_of_scipy():
    first, second = [0.91, 0.90, 0.93, 0.92], [0.90, 0.90, 0.91, 0.89]
    found = paired_test(list(zip(first, second, strict=True)))
    assert found.p == pytest.approx(ttest_rel(first, second).pvalue)
    assert str(found) == f"{found.p:.3f} (4)"


def test_tiny_ones_are_not_told_in_digits():
    assert str(paired_test([(0.6, 0.5), (0.6001, 0.5), (0.6002, 0.5), (0.6001, 0.5)])) == "< 0.001 (4)"


def test_of_one_pair_or_none_nothing_can_be_told():
    found = paired_test([(0.6, 0.5)])
    assert (found.p, str(found)) == (None, "one pair")
    assert str(paired_test([])) == "no pair"


@pytest.mark.parametrize("pairs", [[(0.5, 0.5)] * 3, [(0.1 + 0.2, 0.3), (0.6, 0.6), (0.7, 0.7)], [(0.0, 0.0)] * 3])
def test_where_no_pair_differs_they_are_the_same(pairs):
    found = paired_test(pairs)
    assert (found.p, str(found)) == (None, "the same (3)")


@pytest.mark.parametrize(
    "pairs",
    [[(0.5, 0.4375), (0.25, 0.1875)], [(0.93, 0.90), (0.95, 0.92)], [(93000.1, 90000.1), (95000.1, 92000.1)]],
)
def test_where_all_differ_by_the_same_but_for_rounding_nothing_can_be_told_and_nothing_is_warned_of(pairs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = paired_test(pairs)
    assert (found.p, str(found)) == (None, "no spread (2)")


def test_small_values_are_not_taken_for_rounding():
    assert paired_test([(2e-13, 1e-13), (4e-13, 1e-13), (3e-13, 1e-13)]).p == pytest.approx(0.0742, abs=1e-3)
