"""What every criterion does."""

import pytest
import torch

from workers.channels import find_groups
from workers.criteria import CRITERIA
from workers.models import build

NETWORKS = [("resnet", {"widths": [4, 6]}), ("densenet", {"growth": 3, "layers": 2}), ("plain", {"widths": [4]})]


@pytest.mark.parametrize(("network", "arguments"), NETWORKS, ids=[name for name, _ in NETWORKS])
@pytest.mark.parametrize("criterion", CRITERIA.values(), ids=list(CRITERIA))
def test_every_unit_of_every_group_gets_a_score(criterion, network, arguments):
    module = build(network, {**arguments, "in_channels": 1}).eval()
    channel_map = find_groups(module, (1, 8, 8))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    scores = criterion(module.state_dict(), channel_map, torch.Generator().manual_seed(0))
    assert {name: tuple(values.shape) for name, values in scores.items()} == {
        group.name: (group.width,) for group in channel_map.groups
    }
    # Not one of them may go unscored: an untouched zero would be removed first.
    assert all((values > 0).all() and values.dtype == torch.float64 for values in scores.values())
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
