import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso

from workers.reconstruction.contributions import Contributions
from workers.reconstruction.lasso import lasso, surviving


def test_orthogonal_contributions_are_shrunk_one_by_one():
    # (4 - 1) / 2, (-3 + 1) / 1, and |0.5| is less than the price.
    found = lasso(np.diag([2.0, 1, 5]), np.array([4.0, -3, 0.5]), 1.0, np.zeros(3))
    assert found.tolist() == pytest.approx([1.5, -2, 0])


def test_it_finds_what_another_implementation_finds():
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(60, 12)) @ draw.normal(size=(12, 12))
    target = rows @ draw.normal(size=12) + draw.normal(size=60)
    price = 0.1 * np.abs(rows.T @ target).max()
    other = Lasso(alpha=price / 60, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(rows, target)
    found = lasso(rows.T @ rows, rows.T @ target, price, np.zeros(12))
    assert 0 < np.count_nonzero(found) < 12
    np.testing.assert_allclose(found, other.coef_, atol=0.01 * np.abs(other.coef_).max())


def of(rows, errors=None):
    rows = torch.tensor(rows).double()
    missing = torch.zeros(len(rows)).double() if errors is None else torch.tensor(errors).double()
    return Contributions(products=rows.mT @ rows, errors=rows.mT @ missing)


def test_those_with_the_largest_correlation_survive_where_they_are_orthogonal():
    found = of([[1.0, 0, 0], [0, 3, 0], [0, 0, 2]])  # factors vanish at the prices 1, 9 and 4
    assert surviving(found, 2).tolist() == [1, 2]
    assert surviving(found, 1).tolist() == [1]


def test_what_the_network_lacks_counts_too():
    found = of([[1.0, 0, 0], [0, 3, 0], [0, 0, 2]], errors=[9.0, 0, 0])  # the first is wanted ten times
    assert surviving(found, 1).tolist() == [0]


@pytest.mark.parametrize("width", [1, 2, 3])
def test_of_two_equal_units_one_goes_first(width):
    found = of([[2.0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0.5]])
    assert surviving(found, width).tolist() == [[0], [0, 2], [0, 2, 3]][width - 1]


def test_units_that_give_nothing_still_fill_the_wanted_width():
    assert surviving(of([[0.0, 0, 1]]), 2).tolist() == [0, 2]
