import pytest
import torch

from workers.integral.refinement import refined

DOUBLE = torch.float64


def in_channels(channels, size):
    """Channels of each cell."""
    return (refined(channels, size) * len(channels)).round().int().tolist()


def test_cells_are_halved_where_the_function_curves():
    # A straight line to the middle, then a wave.
    place = (torch.arange(32, dtype=DOUBLE) + 0.5) / 32
    wave = torch.sin(12 * place) - torch.sin(torch.tensor(6.0))
    cells = in_channels((place + wave * (place > 0.5))[:, None], 8)
    ends = torch.tensor(cells).cumsum(0)
    assert ends[-1] == 32
    assert int((ends <= 16).sum()) == 2


def test_simpson_and_midpoint_disagree_by_a_sixth_of_the_second_difference():
    # Two channels and a cell of both: ends beyond the samples, the middle between them.
    assert in_channels(torch.tensor([[0.0], [1.0], [0.0], [5.0], [-5.0], [5.0], [0.0], [0.0]]), 3) == [4, 2, 2]


@pytest.mark.parametrize("size", [1, 2, 7, 12])
def test_any_number_of_cells_can_be_had_and_all_are_the_channels(size):
    channels = torch.rand(12, 5, generator=torch.Generator().manual_seed(0))
    cells = refined(channels, size)
    assert len(cells) == size
    assert (cells > 0).all()
    assert float(cells.sum()) == pytest.approx(1)
    assert in_channels(channels, 12) == [1] * 12


def test_equal_channels_are_halved_in_turn():
    assert in_channels(torch.ones(8, 3), 4) == [2, 2, 2, 2]
