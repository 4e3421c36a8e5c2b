import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.integral.operators import Dense, Identity, Sparse, operator

CPU = torch.device("cpu")
DOUBLE = torch.float64
some = settings(max_examples=25, deadline=None)


def matrix_of(rows, columns, share, seed=0):
    """About that share of the entries is not zero."""
    generator = torch.Generator().manual_seed(seed)
    full = torch.randn(rows, columns, generator=generator, dtype=DOUBLE)
    return full * (torch.rand(rows, columns, generator=generator) < share)


@pytest.mark.parametrize(
    ("matrix", "kind"),
    [
        (torch.eye(5, dtype=DOUBLE) + 1e-13, Identity),
        (torch.eye(5, dtype=DOUBLE)[:4], Dense),
        (torch.eye(20, dtype=DOUBLE)[:19], Sparse),
        (torch.eye(20, dtype=DOUBLE).flip(0), Sparse),
        (matrix_of(30, 40, 0.05), Sparse),
        (matrix_of(30, 40, 0.5), Dense),
    ],
)
def test_the_cheapest_kind_is_taken(matrix, kind):
    assert type(operator(matrix, CPU)) is kind


@some
@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([0.0, 0.05, 0.5]), st.integers(0, 99))
def test_it_is_the_product(rows, columns, share, seed):
    # Rows and columns without any entry among them.
    matrix = matrix_of(rows, columns, share, seed)
    features = torch.randn(columns, 7, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    torch.testing.assert_close(operator(matrix, CPU)(features), matrix @ features, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_single_precision_rows_stay_so(share):
    matrix = matrix_of(30, 40, share)
    features = torch.randn(40, 3)
    found = operator(matrix, CPU)(features)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, matrix.float() @ features, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_gradients_with_respect_to_the_rows(share):
    apply = operator(matrix_of(12, 40, share), CPU)
    features = torch.randn(40, 2, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(apply, (features,))
    assert torch.autograd.gradgradcheck(apply, (features,))


def test_rows_that_are_not_contiguous():
    matrix = matrix_of(30, 40, 0.05)
    features = torch.randn(3, 40, dtype=DOUBLE).T
    torch.testing.assert_close(operator(matrix, CPU)(features), matrix @ features)
