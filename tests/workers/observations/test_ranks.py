import torch
from torch import nn


def test_a_map_of_equal_rows_has_rank_1_and_a_diagonal_one_full_rank(observe):
    module = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 2, 1))
    module[0].weight.data = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1)
    images = torch.stack([torch.eye(3), torch.ones(3, 3)]).view(2, 1, 3, 3)
    # Unit 0 sees ranks 3 and 1; unit 1 sees nothing.
    assert observe("ranks", module, images, batch_size=1)["rank"]["0"].tolist() == [2, 0]


def test_a_map_of_one_position_has_rank_1_where_it_is_not_zero(observe):
    module = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 2))
    module[1].weight.data = torch.tensor([[1.0], [-1.0]])
    images = torch.tensor([1.0, 2.0, -1.0, 3.0]).view(4, 1, 1, 1)
    assert observe("ranks", module, images)["rank"]["1"].tolist() == [0.75, 0.25]
