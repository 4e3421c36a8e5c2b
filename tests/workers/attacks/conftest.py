"""A linear classifier of small images, whose attacks can be worked out by hand."""

import pytest
import torch
from torch import nn

# Two cores are shared, and sums come out the same in the same order.
torch.set_num_threads(1)


@pytest.fixture
def linear() -> nn.Module:
    """Logits of four classes; class 0 is brightness on the left, class 1 on the right."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(2, 4, bias=False)).eval()
    module[1].weight.data = torch.tensor([[4.0, -4.0], [-4.0, 4.0], [0.0, 0.0], [0.0, 0.0]])
    return module


@pytest.fixture
def pixels() -> torch.Tensor:
    """Two images of class 0, one sure and one not, and one of class 1."""
    return torch.tensor([[0.9, 0.1], [0.52, 0.48], [0.4, 0.6]]).view(3, 1, 1, 2)


@pytest.fixture
def classes() -> torch.Tensor:
    return torch.tensor([0, 0, 1])
