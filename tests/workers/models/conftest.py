from collections.abc import Callable

import pytest
import torch
from torch import nn

# Two cores are shared, and sums come out the same in the same order.
torch.set_num_threads(1)


@pytest.fixture
def num_parameters() -> Callable[[nn.Module], int]:
    return lambda model: sum(each.numel() for each in model.parameters())
