import torch

from workers.integral.agglomeration import agglomerate


def test_the_nearest_neighbours_join_first():
    joined = agglomerate(torch.tensor([[0.0], [1.0], [1.5], [9.0]]))
    assert joined.joins.tolist() == [2, 1, 3]  # 1.5 to 1; then 0 to them; then 9
    assert joined.cells(4).tolist() == [1, 1, 1, 1]
    assert joined.cells(3).tolist() == [1, 2, 1]
    assert joined.cells(2).tolist() == [3, 1]
    assert joined.cells(1).tolist() == [4]


def test_errors_are_squared_distances_from_the_means_of_the_cells():
    channels = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    joined = agglomerate(channels)
    for size in range(1, 8):
        cells = torch.split(channels, joined.cells(size).tolist())
        expected = sum(float((cell - cell.mean(0)).square().sum()) for cell in cells)
        assert abs(float(joined.errors[7 - size]) - expected) < 1e-12


def test_one_channel_is_one_cell():
    assert agglomerate(torch.ones(1, 2)).cells(1).tolist() == [1]
