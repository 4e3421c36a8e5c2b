import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.integral.curvature import curvature
from workers.integral.partition import nodes_of
from workers.integral.quadrature import sampling_matrix

DOUBLE = torch.float64
some = settings(max_examples=25, deadline=None)


def bump(n):
    """Flat but for a bump at 0.3."""
    at = (torch.arange(n, dtype=DOUBLE) + 0.5) / n
    return torch.exp(-(((at - 0.3) / 0.05) ** 2))[:, None]


def test_straight_lines_are_sampled_evenly():
    line = torch.linspace(0, 3, 40, dtype=DOUBLE)[:, None]
    torch.testing.assert_close(curvature(line, 7), torch.full((7,), 1 / 7, dtype=DOUBLE))


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_channels_to_bend(n):
    assert curvature(torch.rand(n, 3), n).tolist() == pytest.approx([1 / n] * n)


def test_a_parabola_bends_alike_everywhere():
    parabola = torch.linspace(-1, 1, 40, dtype=DOUBLE)[:, None] ** 2
    torch.testing.assert_close(curvature(parabola, 6), torch.full((6,), 1 / 6, dtype=DOUBLE))


def test_the_density_is_the_third_root():
    # x^5 has the second derivative 20 x^3, whose third root is proportional to x: between 0.2 and 0.9 cells are as
    # wide as 1/x asks for.
    at = (torch.arange(1000, dtype=DOUBLE) + 0.5) / 1000
    cells = curvature(at[:, None] ** 5, 50)
    nodes = nodes_of(cells)
    inside = (nodes > 0.2) & (nodes < 0.9)
    product = (cells * nodes)[inside]
    torch.testing.assert_close(product, product.mean().expand_as(product), rtol=0.02, atol=0)


def test_no_stretch_is_left_without_nodes():
    # A kink in the middle: elsewhere the density is the floor, a tenth of the largest.
    kink = (torch.arange(41, dtype=DOUBLE) - 20).abs()[:, None]
    cells = curvature(kink, 5) * 41
    assert cells.min() >= 1 - 1e-9
    assert cells.max() <= 41 / 4


@some
@given(n=st.integers(1, 20), data=st.data(), seed=st.integers(0, 99))
def test_no_channel_gets_more_than_a_cell(n, data, seed):
    size = data.draw(st.integers(1, n))
    channels = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)) ** 5
    assert curvature(channels, size).min() * n >= 1 - 1e-9


def test_where_a_function_bends_in_one_place_it_is_known_better_than_from_even_nodes():
    channels, n, size = bump(200), 200, 24

    def error(cells):
        nodes = nodes_of(cells)
        samples = sampling_matrix(nodes, n) @ channels
        at = (torch.arange(n, dtype=DOUBLE) + 0.5) / n
        left = (torch.searchsorted(nodes, at) - 1).clamp(0, size - 2)
        share = ((at - nodes[left]) / (nodes[left + 1] - nodes[left])).clamp(0, 1)[:, None]
        return float(((1 - share) * samples[left] + share * samples[left + 1] - channels).square().sum())

    assert error(curvature(channels, size)) < 0.2 * error(torch.full((size,), 1 / size, dtype=DOUBLE))
