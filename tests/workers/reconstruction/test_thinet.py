import pytest
import torch

from workers.reconstruction.contributions import Contributions
from workers.reconstruction.thinet import least_contribution, least_squares_factors


def of(rows, errors=None):
    """Contributions of units, a column each, at some rows."""
    rows = torch.tensor(rows).double()
    missing = torch.zeros(len(rows)).double() if errors is None else torch.tensor(errors).double()
    return Contributions(products=rows.mT @ rows, errors=rows.mT @ missing)


def test_the_smallest_contribution_goes_first():
    assert least_contribution(of([[3.0, 1, 2], [3, 1, 2]]), 2).tolist() == [0, 2]


def test_two_that_cancel_go_together_though_each_is_large():
    # First 2 goes; then -5, as (2 - 5)^2 is less than (2 + 5)^2 and (2 + 9)^2; then 5, as (2 - 5 + 5)^2 is 4.
    found = of([[5.0, -5, 2, 9]])
    assert least_contribution(found, 3).tolist() == [0, 1, 3]
    assert least_contribution(found, 2).tolist() == [0, 3]
    assert least_contribution(found, 1).tolist() == [3]


def test_of_equal_units_the_first_goes():
    assert least_contribution(of([[1.0, 1, 1]]), 2).tolist() == [1, 2]


def test_factors_that_make_up_for_what_is_missing():
    # Orthogonal contributions 1 and 2; missing are 3 of the first and -1 of the second: factors 1 + 3 and 1 - 1/2.
    found = of([[1.0, 0], [0, 2]], errors=[3.0, -1])
    assert least_squares_factors(found, 1e-12).tolist() == pytest.approx([4, 0.5])
