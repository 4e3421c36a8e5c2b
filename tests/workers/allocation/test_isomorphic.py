import torch
from torch import nn

from workers.allocation import ALLOCATIONS, allocate
from workers.allocation.isomorphic import isomorphic_classes
from workers.channels import find_groups
from workers.models import build


def test_the_groups_of_a_residual_network_fall_into_inner_channels_and_streams():
    module = build("resnet", {"widths": [4, 6], "blocks": 2, "in_channels": 1}).eval()
    classes = isomorphic_classes(find_groups(module, (1, 4, 4)))
    inner = [f"layer{stage}.{block}.conv1" for stage in (1, 2) for block in (0, 1)]
    assert sorted(inner) in [sorted(each) for each in classes]  # of all stages: widths and image sizes play no part


def test_kernels_tell_classes_apart():
    layers = [nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 3)]
    assert isomorphic_classes(find_groups(nn.Sequential(*layers), (1, 9, 9))) == [["0"], ["1"], ["2", "3"]]


def test_every_class_loses_the_same_fraction_and_ranks_within_itself(ask):
    # "0" reads an image and is alone in its kind of score: both classes lose half, however small the scores of "0" are.
    layers = [nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 3)]
    channel_map = find_groups(nn.Sequential(*layers), (1, 9, 9))
    scores = {
        "0": [0.1, 0.2, 0.3, 0.4],
        "1": [100.0, 200.0, 300.0, 400.0],
        "2": [1.0, 2.0, 3.0, 8.0],
        "3": [4.0, 5.0, 6.0, 7.0],
    }
    question = ask(channel_map, 0.0, scores=scores)
    half = {"0": 2, "1": 2, "2": 1, "3": 3}  # of eight channels of "2" and "3" four go: 1, 2, 3 and 4
    target = 1 - question.cost(half) / question.cost({})
    found = allocate(ALLOCATIONS["isomorphic"], ask(channel_map, target, scores=scores), {"floor": 0.0})
    assert dict(found.widths) == half


def test_a_group_keeps_its_floor(chain, ask):
    scores = {"0": torch.arange(4.0).tolist(), "1": torch.arange(4.0).tolist()}
    found = allocate(ALLOCATIONS["isomorphic"], ask(chain, 0.65, scores=scores), {"floor": 0.5})
    assert dict(found.widths) == {"0": 2, "1": 2}  # 2 + 4 + 4 = 10 of 28 stay: 64 % go, and no more can
