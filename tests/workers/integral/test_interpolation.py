import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from workers.integral.interpolation import CUBIC_A, cubic_convolution, interpolation_matrix

DOUBLE = torch.float64
some = settings(max_examples=25, deadline=None)


def kernel(*distances, **options):
    return cubic_convolution(torch.tensor(distances, dtype=DOUBLE), **options).tolist()


def test_the_kernel_is_1_at_its_sample_and_0_at_the_others():
    assert kernel(0.0, 1.0, -1.0, 2.0, -2.0, 2.5, 100.0) == [1, 0, 0, 0, 0, 0, 0]


def test_the_kernel_half_way():
    # (a+2)/8 - (a+3)/4 + 1 = 19/32 and a (27/8 - 45/4 + 12 - 4) = a/8 = -3/32 at a = -3/4.
    assert kernel(0.5, -0.5, 1.5, -1.5) == pytest.approx([19 / 32, 19 / 32, -3 / 32, -3 / 32], abs=1e-15)


def test_the_kernel_of_keys():
    # a = -1/2: 3/16 - 5/8 + 1 = 9/16 and -1/16.
    assert kernel(0.5, 1.5, a=-0.5) == pytest.approx([9 / 16, -1 / 16], abs=1e-15)


@pytest.mark.parametrize("distance", [1.0, 1 + 1e-9])
def test_the_slope_at_distance_1_is_a_from_both_sides(distance):
    at = torch.tensor([distance], dtype=DOUBLE, requires_grad=True)
    cubic_convolution(at).sum().backward()
    assert at.grad.item() == pytest.approx(CUBIC_A, abs=1e-7)


@some
@given(st.floats(0, 1), st.sampled_from([-1.0, -0.75, -0.5]))
def test_the_four_kernels_around_a_point_sum_to_1(s, a):
    assert sum(kernel(1 + s, s, 1 - s, 2 - s, a=a)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("num_samples", [1, 2, 3, 7])
def test_at_the_samples_it_gives_the_samples(num_samples):
    matrix = interpolation_matrix(torch.arange(num_samples, dtype=DOUBLE), num_samples)
    assert torch.equal(matrix, torch.eye(num_samples, dtype=DOUBLE))


def test_half_way_four_samples_count():
    (row,) = interpolation_matrix(torch.tensor([2.5], dtype=DOUBLE), 6).tolist()
    assert row == pytest.approx([0, -3 / 32, 19 / 32, 19 / 32, -3 / 32, 0], abs=1e-15)


def test_samples_beyond_the_ends_repeat_the_end():
    # The tap at -1 falls on sample 0: 19/32 - 3/32 = 1/2. Far outside all four do.
    rows = interpolation_matrix(torch.tensor([0.5, -7.0, 9.3], dtype=DOUBLE), 4)
    expected = torch.tensor([[1 / 2, 19 / 32, -3 / 32, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=DOUBLE)
    torch.testing.assert_close(rows, expected, rtol=0, atol=1e-12)


@some
@given(st.lists(st.floats(-3, 12), min_size=1, max_size=6), st.integers(1, 9))
def test_rows_sum_to_1_so_that_constants_come_back(coordinates, num_samples):
    matrix = interpolation_matrix(torch.tensor(coordinates, dtype=DOUBLE), num_samples)
    torch.testing.assert_close(matrix.sum(1), torch.ones(len(coordinates), dtype=DOUBLE), rtol=0, atol=1e-12)
    assert ((matrix != 0).sum(1) <= 4).all()


def test_linear_functions_come_back_at_samples_and_half_way():
    coordinates = torch.arange(1, 7.5, 0.5, dtype=DOUBLE)
    found = interpolation_matrix(coordinates, 9) @ torch.arange(9, dtype=DOUBLE)
    torch.testing.assert_close(found, coordinates, rtol=0, atol=1e-12)


@some
@given(st.floats(0, 1))
def test_elsewhere_a_linear_function_is_missed_by_at_most_a_twentieth_of_a_step(s):
    # (2a + 1) s (1-s) (2s-1): only a = -1/2 reproduces linear functions; torch's a = -3/4 misses by 0.048 at most.
    found = interpolation_matrix(torch.tensor([3 + s], dtype=DOUBLE), 9) @ torch.arange(9, dtype=DOUBLE)
    error = found.item() - (3 + s)
    assert error == pytest.approx((2 * CUBIC_A + 1) * s * (1 - s) * (2 * s - 1), abs=1e-12)
    assert abs(error) <= math.sqrt(3) / 36 + 1e-12


@some
@given(st.floats(0, 1))
def test_the_kernel_of_keys_reproduces_linear_functions(s):
    weights = kernel(1 + s, s, 1 - s, 2 - s, a=-0.5)
    positions = (-1, 0, 1, 2)
    assert sum(weight * at for weight, at in zip(weights, positions, strict=True)) == pytest.approx(s, abs=1e-12)


@pytest.mark.parametrize(("num_samples", "size"), [(12, 5), (16, 8), (16, 3), (7, 7), (5, 1)])
def test_uniform_sampling_is_that_of_torchs_bicubic(num_samples, size):
    samples = torch.rand(1, 1, num_samples, 1, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    expected = functional.interpolate(samples, size=(size, 1), mode="bicubic", align_corners=False).flatten()
    coordinates = (torch.arange(size, dtype=DOUBLE) + 0.5) * num_samples / size - 0.5
    found = interpolation_matrix(coordinates, num_samples) @ samples.flatten()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_gradients_with_respect_to_the_coordinates():
    coordinates = torch.tensor([-0.3, 0.4, 1.5, 3.25, 4.8], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda at: interpolation_matrix(at, 5), (coordinates,))


def test_the_matrix_has_the_type_of_the_coordinates():
    assert interpolation_matrix(torch.tensor([0.5]), 3).dtype == torch.float32
