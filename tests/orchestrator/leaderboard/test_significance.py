import pytest
from scipy.stats import ttest_rel

from orchestrator.leaderboard.significance import paired_test


def test_it_is_the_paired_t_test_of_scipy():
    first, second = [0.91, 0.90, 0.93, 0.92], [0.90, 0.90, 0.91, 0.89]
    found = paired_test([a - b for a, b in zip(first, second, strict=True)])
    assert found.p == pytest.approx(ttest_rel(first, second).pvalue)
    assert str(found) == f"{found.p:.3f} (4)"


def test_tiny_ones_are_not_told_in_digits():
    assert str(paired_test([0.1, 0.1001, 0.1002, 0.1001])) == "< 0.001 (4)"


def test_of_one_pair_nothing_can_be_told():
    found = paired_test([0.1])
    assert (found.p, str(found)) == (None, "one pair")


def test_nor_where_all_differences_are_the_same():
    found = paired_test([0.0, 0.0, 0.0])
    assert (found.p, str(found)) == (None, "the same (3)")
