import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.integral.partition import PARTITIONS, adaptive, cells_of, nodes_of, uniform

DOUBLE = torch.float64
some = settings(max_examples=25, deadline=None)


def column(*values):
    """Channels that own one number each."""
    return torch.tensor(values, dtype=DOUBLE)[:, None]


def random_channels(n, seed):
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))


def counts(cells, n):
    return (cells * n).round(decimals=9).tolist()


@pytest.mark.parametrize("partition", PARTITIONS.values(), ids=list(PARTITIONS))
@some
@given(n=st.integers(1, 12), data=st.data(), seed=st.integers(0, 99))
def test_cells_are_positive_and_fill_the_unit_interval(partition, n, data, seed):
    size = data.draw(st.integers(1, n))
    cells = partition(random_channels(n, seed), size)
    assert (len(cells), cells.dtype) == (size, DOUBLE)
    assert (cells > 0).all()
    assert cells.sum().item() == pytest.approx(1, abs=1e-12)


def test_uniform_cells_are_equal():
    assert uniform(random_channels(5, 0), 4).tolist() == [1 / 4] * 4


@pytest.mark.parametrize("partition", PARTITIONS.values(), ids=list(PARTITIONS))
def test_at_full_size_every_channel_has_a_cell(partition):
    assert partition(random_channels(5, 0), 5).tolist() == pytest.approx([1 / 5] * 5, abs=1e-15)


def test_equal_neighbours_share_a_cell_first():
    assert counts(adaptive(column(9, 4, 4, 0, 7), 4), 5) == [1, 2, 1, 1]


def test_equal_channels_apart_do_not_share_a_cell():
    # 4 and 4 are not neighbours; 0 and 1 are nearest among those that are.
    assert counts(adaptive(column(4, 0, 1, 4), 3), 4) == [1, 2, 1]


def test_joining_a_larger_cell_costs_more():
    # {0, 0, 0} + 2 adds 3/4 * 4 = 3 to the sum of squares, 2 + 4.1 only 1/2 * 4.41, though they are further apart.
    assert counts(adaptive(column(0, 0, 0, 2, 4.1), 2), 5) == [3, 2]


def test_a_cell_stands_for_the_mean_of_its_channels():
    # {0, 2} has the mean 1: 4.5 joins 6 (1/2 * 2.25), not it (2/3 * 12.25).
    assert counts(adaptive(column(0, 2, 4.5, 6.9), 2), 4) == [2, 2]


def test_one_cell_holds_all():
    assert adaptive(random_channels(6, 0), 1).tolist() == [1]


def test_a_group_of_one_channel():
    assert adaptive(column(3), 1).tolist() == [1]


@some
@given(st.integers(2, 9), st.integers(0, 999))
def test_the_first_two_to_share_are_the_nearest_neighbours(n, seed):
    channels = random_channels(n, seed)
    distances = [float((left - right).square().sum()) for left, right in itertools.pairwise(channels)]
    nearest = distances.index(min(distances))
    expected = [2 if channel == nearest else 1 for channel in range(n) if channel != nearest + 1]
    assert counts(adaptive(channels, n - 1), n) == expected


@some
@given(st.integers(3, 8), st.integers(0, 99), st.data())
def test_every_step_is_the_cheapest(n, seed, data):
    size = data.draw(st.integers(1, n))
    channels = random_channels(n, seed).double()

    def spread(cell):
        return float((channels[cell] - channels[cell].mean(0)).square().sum())

    cells = [[channel] for channel in range(n)]
    while len(cells) > size:
        costs = [spread(a + b) - spread(a) - spread(b) for a, b in itertools.pairwise(cells)]
        at = costs.index(min(costs))
        cells[at : at + 2] = [cells[at] + cells[at + 1]]
    assert counts(adaptive(channels, size), n) == [len(cell) for cell in cells]


def test_nodes_are_the_middles_of_cells():
    assert nodes_of(torch.tensor([0.5, 0.25, 0.25])).tolist() == [0.25, 0.625, 0.875]


def test_the_nodes_of_a_uniform_partition_are_the_channels():
    torch.testing.assert_close(nodes_of(uniform(random_channels(4, 0), 4)) * 4 - 0.5, torch.arange(4, dtype=DOUBLE))


def test_a_lone_channel_of_an_adaptive_partition_keeps_its_place():
    # Channel 0 of five sits at 0.1, channels 1 and 2 share 0.4, 3 and 4 sit at 0.7 and 0.9.
    assert nodes_of(adaptive(column(9, 4, 4, 0, 7), 4)).tolist() == pytest.approx([0.1, 0.4, 0.7, 0.9])


def test_cells_of_delta_by_hand():
    # Squares 1, 4, 4, 1 of 10.
    assert cells_of(torch.tensor([1.0, -2.0, 2.0, -1.0], dtype=DOUBLE)).tolist() == pytest.approx([0.1, 0.4, 0.4, 0.1])


deltas = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8).flatmap(
    lambda sizes: st.lists(st.sampled_from([-1, 1]), min_size=len(sizes), max_size=len(sizes)).map(
        lambda signs: [sign * size for sign, size in zip(signs, sizes, strict=True)]
    )
)


@some
@given(deltas)
def test_any_delta_gives_ordered_nodes_within_the_unit_interval(delta):
    cells = cells_of(torch.tensor(delta, dtype=DOUBLE))
    nodes = nodes_of(cells)
    assert (cells > 0).all()
    assert cells.sum().item() == pytest.approx(1, abs=1e-12)
    assert (nodes.diff() >= 0).all()
    assert nodes.min() >= 0
    assert nodes.max() <= 1 + 1e-12


@some
@given(deltas, st.floats(0.1, 10))
def test_the_scale_of_delta_does_not_matter(delta, factor):
    delta = torch.tensor(delta, dtype=DOUBLE)
    torch.testing.assert_close(cells_of(factor * delta), cells_of(delta), rtol=1e-9, atol=0)


def test_gradients_with_respect_to_delta():
    delta = torch.tensor([0.7, -1.2, 0.4, 1.0], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda free: nodes_of(cells_of(free)), (delta,))
