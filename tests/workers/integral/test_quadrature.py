import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.integral.kernels import KERNELS
from workers.integral.partition import cells_of, nodes_of
from workers.integral.quadrature import QUADRATURES, Sampled, midpoint, product, sampling_matrix, simpson, trapezoid
from workers.integral.rules import midpoint_rule, trapezoid_rule

DOUBLE = torch.float64
some = settings(max_examples=25, deadline=None)
every_quadrature = pytest.mark.parametrize("quadrature", QUADRATURES.values(), ids=list(QUADRATURES))
both = pytest.mark.parametrize("quadrature", [product, midpoint], ids=["product", "midpoint"])


def uniform_nodes(size):
    return (torch.arange(size, dtype=DOUBLE) + 0.5) / size


def uneven_nodes(size, seed=0):
    return nodes_of(cells_of(torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE) + 0.3))


@every_quadrature
@pytest.mark.parametrize("num_channels", [1, 2, 3, 10, 64])
def test_at_full_size_it_is_the_identity(quadrature, num_channels):
    matrix = quadrature(uniform_nodes(num_channels), num_channels)
    torch.testing.assert_close(matrix, torch.eye(num_channels, dtype=DOUBLE), rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_channels", [1, 2, 3, 10, 64])
def test_sampling_at_full_size_is_the_identity(num_channels):
    matrix = sampling_matrix(uniform_nodes(num_channels), num_channels)
    torch.testing.assert_close(matrix, torch.eye(num_channels, dtype=DOUBLE), rtol=0, atol=1e-12)


@both
@some
@given(n=st.integers(1, 20), data=st.data(), seed=st.integers(0, 99))
def test_mass_is_conserved(quadrature, n, data, seed):
    # A layer of ones on an input of ones gives the sum over n channels: n.
    nodes = uneven_nodes(data.draw(st.integers(1, n)), seed)
    assert quadrature(nodes, n).sum().item() == pytest.approx(n, rel=1e-12)


@some
@given(n=st.integers(1, 20), data=st.data(), seed=st.integers(0, 99))
def test_product_spends_each_channels_weight_once(n, data, seed):
    # Columns sum to 1, so constant inputs give the exact output for any weights.
    nodes = uneven_nodes(data.draw(st.integers(1, n)), seed)
    torch.testing.assert_close(product(nodes, n).sum(0), torch.ones(n, dtype=DOUBLE), rtol=0, atol=1e-12)


def test_midpoint_rows_sum_to_their_cells():
    # Nodes at 0.1, 0.3, 0.8 have cells that meet at 0.2 and 0.55; of ten channels they stand for 2, 3.5 and 4.5.
    rows = midpoint(torch.tensor([0.1, 0.3, 0.8], dtype=DOUBLE), 10).sum(1)
    torch.testing.assert_close(rows, torch.tensor([2, 3.5, 4.5], dtype=DOUBLE), rtol=0, atol=1e-12)


def test_midpoint_is_the_weight_sampled_times_the_cell():
    # Six channels, three nodes half-way between two each; a cell is two channels wide.
    rows = midpoint(uniform_nodes(3), 6)
    expected = torch.tensor([0, -3 / 32, 19 / 32, 19 / 32, -3 / 32, 0], dtype=DOUBLE) * 2
    torch.testing.assert_close(rows[1], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_midpoint_integrates_a_linear_function_exactly(size):
    # Constant weights, x_i = 3 i: the sum over ten channels is 3 * 45. The middle of a cell stands for its mean.
    nodes = uniform_nodes(size)
    inputs = 3 * (nodes * 10 - 0.5)
    found = midpoint(nodes, 10) @ torch.ones(10, dtype=DOUBLE) @ inputs
    assert found.item() == pytest.approx(135, abs=1e-10)


def test_product_by_hand():
    # Where the nodes 1/6, 3/6, 5/6 are the whole numbers, six channels stand at -1/4, 1/4, 3/4 ...
    # The third is at 3/4: u(7/4) = -9/256 (before the ends: the first node again), u(3/4) = 67/256, u(1/4) = 225/256,
    # u(5/4) = -27/256.
    column = product(uniform_nodes(3), 6)[:, 2]
    expected = torch.tensor([-9 + 67, 225, -27], dtype=DOUBLE) / 256
    torch.testing.assert_close(column, expected, rtol=0, atol=1e-12)


def test_product_with_one_node_adds_all_weights():
    assert product(torch.tensor([0.3], dtype=DOUBLE), 4).tolist() == [[1, 1, 1, 1]]


def test_product_is_exact_for_a_linear_input_and_even_weights():
    # Channels at a quarter and at three quarters between two nodes err alike in opposite directions.
    nodes, weights = uniform_nodes(10), torch.zeros(20, dtype=DOUBLE)
    weights[5:15] = 1  # the interior: no tap beyond an end
    found = product(nodes, 20) @ weights @ (nodes * 20 - 0.5)
    assert found.item() == pytest.approx(sum(range(5, 15)), abs=1e-10)


@some
@given(st.integers(0, 999))
def test_product_misses_a_linear_input_by_a_twentieth_of_a_node_distance(seed):
    # The error of the kernel (test_interpolation) on each channel: sqrt(3) / 36 of two channels, times its weight.
    weights = torch.zeros(20, dtype=DOUBLE)
    weights[5:15] = torch.randn(10, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    nodes = uniform_nodes(10)
    found = product(nodes, 20) @ weights @ (nodes * 20 - 0.5)
    exact = weights @ torch.arange(20, dtype=DOUBLE)
    assert abs(found - exact) <= 2 * math.sqrt(3) / 36 * weights.abs().sum()


@both
def test_smooth_functions_converge_with_the_number_of_nodes(quadrature):
    # The mean over 64 channels of w_i x_i with smooth w and x. The errors fall from 1e-3 to 1e-4; rounding is at 1e-16.
    # (Cosines will not do: the midpoint rule is exact for them, and only rounding would be left to compare.)
    channels = uniform_nodes(64)
    exact = torch.exp(channels) @ (1 / (1 + channels))
    errors = []
    for size in (4, 8, 16):
        nodes = uniform_nodes(size)
        found = quadrature(nodes, 64) @ torch.exp(channels) @ (1 / (1 + nodes))
        errors.append(abs(float(found - exact)) / 64)
    assert 2e-3 > errors[0] > 2 * errors[1] > 4 * errors[2]


@every_quadrature
@pytest.mark.parametrize("size", [1, 2, 4])
def test_gradients_with_respect_to_the_nodes(quadrature, size):
    nodes = torch.tensor([0.13, 0.37, 0.68, 0.91], dtype=DOUBLE)[:size].requires_grad_()
    # The one node of `product` may lie anywhere: nothing depends on it.
    assert torch.autograd.gradcheck(lambda at: quadrature(at, 7) + 0 * at.sum(), (nodes,))


def test_the_trapezoid_doubles_what_the_ends_own():
    # Six channels, nodes on the first, half-way between the third and the fourth, and on the last. They stand for 1.25,
    # 2.5 and 1.25 channels, but at the ends the weight function is twice the channel: 2.5 each.
    nodes = torch.tensor([0.5, 3, 5.5], dtype=DOUBLE) / 6
    rows = trapezoid(nodes, 6).sum(1)
    torch.testing.assert_close(rows, torch.full((3,), 2.5, dtype=DOUBLE), rtol=0, atol=1e-12)


def test_unbalanced_the_trapezoid_halves_the_ends():
    matrix = Sampled(rule=trapezoid_rule)(uniform_nodes(5), 5)
    torch.testing.assert_close(matrix.diagonal(), torch.tensor([0.5, 1, 1, 1, 0.5], dtype=DOUBLE), rtol=0, atol=1e-12)


def test_simpson_bends_the_weight_function():
    # Balanced at five channels: divided by 1/3, 4/3, 2/3, 4/3, 1/3.
    weights = simpson(torch.tensor([0.3], dtype=DOUBLE), 5)
    torch.testing.assert_close(weights, torch.tensor([[0, 5 * 3 / 4, 0, 0, 0]], dtype=DOUBLE), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=list(KERNELS))
def test_with_every_kernel_the_midpoint_rule_is_exact_at_full_size(kernel):
    matrix = Sampled(rule=midpoint_rule, kernel=kernel)(uniform_nodes(12), 12)
    torch.testing.assert_close(matrix, torch.eye(12, dtype=DOUBLE), rtol=0, atol=1e-12)
    assert Sampled(rule=midpoint_rule, kernel=kernel)(uneven_nodes(7), 12).sum().item() == pytest.approx(12)


def test_the_kernel_is_that_of_the_weight_function():
    nodes = uniform_nodes(3)
    linear = Sampled(rule=midpoint_rule, kernel=KERNELS["linear"])(nodes, 6)
    torch.testing.assert_close(linear[1], torch.tensor([0, 0, 1, 1, 0, 0], dtype=DOUBLE), rtol=0, atol=1e-12)


def test_a_rule_of_ones_own():
    # Gauss and Legendre's three nodes, 1/2 -+ sqrt(15)/10, with 5/18, 8/18, 5/18: they know the sum of smooth weights.
    nodes = torch.tensor([0.5 - 15**0.5 / 10, 0.5, 0.5 + 15**0.5 / 10], dtype=DOUBLE)
    weights = torch.tensor([5, 8, 5], dtype=DOUBLE) / 18
    smooth = torch.cos(uniform_nodes(64))
    found = Sampled(rule=lambda at: weights)(nodes, 64) @ smooth
    assert found.sum().item() == pytest.approx(smooth.sum().item(), rel=1e-3)
