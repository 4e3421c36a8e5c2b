import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.integral.kernels import CUBIC_A, KERNELS, Kernel, cubic_convolution

DOUBLE = torch.float64
some = settings(max_examples=25, deadline=None)
every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=list(KERNELS))


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


@some
@given(st.floats(0, 1))
def test_the_kernel_of_keys_reproduces_linear_functions(s):
    weights = kernel(1 + s, s, 1 - s, 2 - s, a=-0.5)
    positions = (-1, 0, 1, 2)
    assert sum(weight * at for weight, at in zip(weights, positions, strict=True)) == pytest.approx(s, abs=1e-12)


@every_kernel
def test_it_is_even_batched_and_zero_from_its_half_width_on(kernel):
    assert isinstance(kernel, Kernel)
    distances = torch.linspace(0, 5, 24, dtype=DOUBLE).reshape(2, 3, 4)
    assert torch.equal(kernel(distances), kernel(-distances))
    assert kernel(distances).shape == distances.shape
    assert (kernel(distances)[distances >= kernel.half_width] == 0).all()
    assert kernel(torch.tensor([kernel.half_width - 0.1], dtype=DOUBLE)) != 0


@every_kernel
def test_the_marks_of_a_kernel_are_true(kernel):
    whole = kernel(torch.arange(-4, 5, dtype=DOUBLE))
    expected = torch.zeros(9, dtype=DOUBLE)
    expected[4] = 1
    assert torch.allclose(whole, expected, atol=1e-15) == kernel.interpolating
    sums = [kernel(torch.arange(-4, 5, dtype=DOUBLE) + s).sum() for s in (0.1, 0.25, 0.5)]
    assert all(abs(each - 1) < 1e-14 for each in sums) == kernel.sums_to_one


@every_kernel
def test_gradients_with_respect_to_the_distance(kernel):
    distances = torch.tensor([-1.7, -0.4, 0.3, 0.9, 1.2, 2.6], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(kernel, (distances,))


def test_lanczos_half_way():
    # sinc(1/2) sinc(1/6) = 2/pi * 3/pi at order 3.
    value = KERNELS["lanczos3"](torch.tensor(0.5, dtype=DOUBLE)).item()
    assert value == pytest.approx(6 / torch.pi**2, abs=1e-15)


def test_the_spline_at_whole_numbers():
    values = KERNELS["bspline"](torch.tensor([0.0, 1.0, -1.0, 2.0], dtype=DOUBLE)).tolist()
    assert values == pytest.approx([2 / 3, 1 / 6, 1 / 6, 0], abs=1e-15)


def test_the_hat():
    assert KERNELS["linear"](torch.tensor([0.0, 0.25, -0.5, 1.5])).tolist() == [1, 0.75, 0.5, 0]
