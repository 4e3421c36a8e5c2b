"""The proof in numbers for the zoo and for torchvision's classification networks."""

import pytest
import torch

from workers.channels import find_groups
from workers.channels.proof import prove
from workers.models import build

ZOO = [
    # (name, arguments, groups): 9 layers but the last one; per block of two layers one inner group, per stage one sum
    ("nin", {}, 8),
    ("plain", {"widths": [6, 7, 8]}, 3),
    ("cifar_vgg11_bn", {}, 8),
    ("cifar_resnet20", {}, 9 + 3),
    ("cifar_resnet20", {"shortcut": "padding"}, 9 + 1),
    ("preresnet", {"depth": 20}, 4 + 4),
    ("densenet", {}, 12),
    pytest.param("cifar_vgg16_bn", {}, 13, marks=pytest.mark.slow),
    pytest.param("cifar_vgg19_bn", {}, 16, marks=pytest.mark.slow),
    pytest.param("cifar_resnet18", {}, 8 + 4, marks=pytest.mark.slow),
    pytest.param("cifar_resnet110", {}, 54 + 3, marks=pytest.mark.slow),
    pytest.param("preresnet164", {}, 36 + 4, marks=pytest.mark.slow),
    pytest.param("densenet40", {}, 39, marks=pytest.mark.slow),
]


def check(name, arguments, size):
    torch.manual_seed(0)
    model = build(name, arguments)
    found = find_groups(model, (3, size, size))
    for ratio in (0.3, 0.7):
        proof = prove(model, (3, size, size), found, ratio=ratio, generator=torch.Generator().manual_seed(0))
        assert proof.holds(1e-9), proof
        assert proof.change > 1e-6
    return found


@pytest.mark.parametrize(("name", "arguments", "groups"), ZOO)
def test_zoo(name, arguments, groups):
    found = check(name, arguments, 32)
    assert len(found.groups) == groups
    assert not found.refused


@pytest.mark.parametrize(
    ("name", "size", "groups", "refused"),
    [
        ("squeezenet1_0", 64, 25, 0),
        ("mnasnet0_5", 32, 0, 0),
        ("shufflenet_v2_x0_5", 32, 0, 0),
    ],
)
def test_torchvision(name, size, groups, refused):
    found = check(f"torchvision:{name}", {"num_classes": 10}, size)
    assert (len(found.groups), len(found.refused)) == (groups, refused)
