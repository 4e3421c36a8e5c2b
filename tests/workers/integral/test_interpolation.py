import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from workers.integral.interpolation import interpolation_matrix
from workers.integral.kernels import CUBIC_A, KERNELS

DOUBLE = torch.float64
some = settings(max_examples=25, deadline=None)
every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=list(KERNELS))


def interior(num_samples, margin):
    """Coordinates that are no whole numbers, far enough from both ends."""
    return torch.linspace(margin, num_samples - 1 - margin, 23, dtype=DOUBLE) + 0.0123


@pytest.mark.parametrize("num_samples", [1, 2, 3, 7])
def test_at_the_samples_it_gives_the_samples(num_samples):
    matrix = interpolation_matrix(torch.arange(num_samples, dtype=DOUBLE), num_samples)
    assert torch.equal(matrix, torch.eye(num_samples, dtype=DOUBLE))


@every_kernel
@pytest.mark.parametrize("num_samples", [1, 2, 3, 9])
def test_every_kernel_interpolates(kernel, num_samples):
    matrix = interpolation_matrix(torch.arange(num_samples, dtype=DOUBLE), num_samples, kernel)
    torch.testing.assert_close(matrix, torch.eye(num_samples, dtype=DOUBLE), rtol=0, atol=1e-14)


def test_half_way_four_samples_count():
    (row,) = interpolation_matrix(torch.tensor([2.5], dtype=DOUBLE), 6).tolist()
    assert row == pytest.approx([0, -3 / 32, 19 / 32, 19 / 32, -3 / 32, 0], abs=1e-15)


def test_samples_beyond_the_ends_repeat_the_end():
    # The tap at -1 falls on sample 0: 19/32 - 3/32 = 1/2. Far outside all four do.
    rows = interpolation_matrix(torch.tensor([0.5, -7.0, 9.3], dtype=DOUBLE), 4)
    expected = torch.tensor([[1 / 2, 19 / 32, -3 / 32, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=DOUBLE)
    torch.testing.assert_close(rows, expected, rtol=0, atol=1e-12)


@every_kernel
@some
@given(st.lists(st.floats(-3, 12), min_size=1, max_size=6), st.integers(1, 9))
def test_rows_sum_to_1_so_that_constants_come_back(kernel, coordinates, num_samples):
    matrix = interpolation_matrix(torch.tensor(coordinates, dtype=DOUBLE), num_samples, kernel)
    torch.testing.assert_close(matrix.sum(1), torch.ones(len(coordinates), dtype=DOUBLE), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "entries"), [("linear", 2), ("cubic", 4), ("lanczos2", 4), ("lanczos3", 6)])
def test_a_row_has_two_entries_per_half_width(name, entries):
    matrix = interpolation_matrix(interior(12, 3), 12, KERNELS[name])
    assert ((matrix != 0).sum(1) == entries).all()


@pytest.mark.parametrize(("name", "degree", "margin"), [("linear", 1, 0.5), ("keys", 2, 1.5), ("bspline", 3, 25)])
def test_polynomials_up_to_a_degree_come_back(name, degree, margin):
    # The prefilter of the spline forgets what lies beyond the ends like 0.268^distance: after 25 samples 5e-15.
    coordinates = interior(60, margin)
    at, samples = (coordinates - 30) / 30, (torch.arange(60, dtype=DOUBLE) - 30) / 30
    found = interpolation_matrix(coordinates, 60, KERNELS[name]) @ samples**degree
    torch.testing.assert_close(found, at**degree, rtol=0, atol=1e-12)
    higher = interpolation_matrix(coordinates, 60, KERNELS[name]) @ samples ** (degree + 1)
    assert (higher - at ** (degree + 1)).abs().max() > 1e-8


@pytest.mark.parametrize(("name", "order"), [("linear", 2), ("keys", 3), ("bspline", 4)])
def test_the_error_on_a_smooth_function_falls_with_the_order_of_the_kernel(name, order):
    def error(num_samples):
        at = torch.linspace(0.3, 0.7, 401, dtype=DOUBLE)
        samples = torch.exp(torch.sin(5 * torch.linspace(0, 1, num_samples, dtype=DOUBLE)))
        matrix = interpolation_matrix(at * (num_samples - 1), num_samples, KERNELS[name])
        return float((matrix @ samples - torch.exp(torch.sin(5 * at))).abs().max())

    assert math.log2(error(81) / error(161)) == pytest.approx(order, abs=0.2)


def test_the_spline_is_the_one_with_continuous_second_derivatives():
    # Second differences across a sample agree from both sides; those of cubic convolution jump.
    samples = torch.rand(15, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)

    def jump(name):
        step = 1e-3
        at = torch.tensor([7 - 2 * step, 7 - step, 7, 7 + step, 7 + 2 * step], dtype=DOUBLE)
        values = interpolation_matrix(at, 15, KERNELS[name]) @ samples
        seconds = values.unfold(0, 3, 1) @ torch.tensor([1, -2, 1], dtype=DOUBLE) / step**2
        return abs(float(seconds[2] - seconds[0]))

    assert jump("bspline") < 0.05 < jump("keys")


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


@pytest.mark.parametrize(("num_samples", "size"), [(12, 5), (16, 8), (16, 3), (7, 7), (5, 1)])
def test_uniform_sampling_is_that_of_torchs_bicubic(num_samples, size):
    samples = torch.rand(1, 1, num_samples, 1, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    expected = functional.interpolate(samples, size=(size, 1), mode="bicubic", align_corners=False).flatten()
    coordinates = (torch.arange(size, dtype=DOUBLE) + 0.5) * num_samples / size - 0.5
    found = interpolation_matrix(coordinates, num_samples) @ samples.flatten()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@every_kernel
def test_gradients_with_respect_to_the_coordinates(kernel):
    coordinates = torch.tensor([-0.3, 0.4, 1.5, 3.25, 4.8], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda at: interpolation_matrix(at, 5, kernel), (coordinates,))


def test_the_matrix_has_the_type_of_the_coordinates():
    assert interpolation_matrix(torch.tensor([0.5]), 3).dtype == torch.float32
