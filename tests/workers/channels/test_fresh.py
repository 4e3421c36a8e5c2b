import pytest
import torch
from torch import nn

from workers.channels import build_resized
from workers.models import build


def shapes_of(model):
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def seeded(make):
    torch.manual_seed(3)
    return make()


def assert_equal(found, expected):
    assert shapes_of(found) == shapes_of(expected)
    for name, tensor in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor), name
    # Attributes such as in_channels stand in what a layer says of itself.
    assert str(found) == str(expected)


@pytest.mark.parametrize(
    ("network", "arguments", "smaller"),
    [
        ("plain", {"widths": [8, 6]}, {"widths": [3, 5]}),
        ("resnet", {"widths": [8, 16]}, {"widths": [5, 7]}),
        ("plain", {"widths": [8, 6]}, {"widths": [8, 6]}),
        ("preresnet", {"depth": 11}, {"depth": 11}),
    ],
)
def test_it_is_the_network_that_is_built_at_those_widths_bit_for_bit(network, arguments, smaller):
    expected = seeded(lambda: build(network, smaller))
    found = seeded(lambda: build_resized(lambda: build(network, arguments), shapes_of(expected)))
    assert_equal(found, expected)


@pytest.mark.slow  # torchvision takes its time to be imported
@pytest.mark.parametrize("network", ["mobilenet_v2", "mobilenet_v3_small"])
def test_torchvisions_too_which_initialise_inside_their_constructors(network):
    # Half as wide, depthwise convolutions and fan-out initialisation among them.
    expected = seeded(lambda: build(f"torchvision:{network}", {"width_mult": 0.5}))
    found = seeded(lambda: build_resized(lambda: build(f"torchvision:{network}"), shapes_of(expected)))
    assert_equal(found, expected)


class Own(nn.Module):
    """Values by attributes of the layers, parameters and buffers of its own, a tied weight, a frozen one."""

    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3)
        self.depthwise = nn.Conv2d(width, width, 3, groups=width)
        self.norm = nn.BatchNorm2d(width, affine=False)
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.second.weight = self.first.weight
        self.scale = nn.Parameter(torch.full((width,), 0.1), requires_grad=False)
        self.register_buffer("steps", torch.arange(width))
        self.register_buffer("nothing", None)
        nn.init.normal_(self.conv.weight, std=(2 / (9 * self.conv.out_channels)) ** 0.5)
        nn.init.constant_(self.depthwise.weight, 1 / self.depthwise.groups)


def test_a_users_own_network_sees_its_layers_small_while_it_starts():
    expected = seeded(lambda: Own(4))
    found = seeded(lambda: build_resized(lambda: Own(9), shapes_of(expected)))
    assert_equal(found, expected)
    assert found.second.weight is found.first.weight
    assert not found.scale.requires_grad
    assert found.depthwise.weight[0, 0, 0, 0] == 1 / 4


def test_what_a_constructor_works_out_from_its_own_arguments_is_that_of_its_widths():
    class Computed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(16, 2)
            nn.init.constant_(self.layer.weight, 1 / 16)

    found = build_resized(Computed, {"layer.weight": (2, 4)})
    assert found.layer.weight.tolist() == [[1 / 16] * 4] * 2


def test_a_tensor_cannot_become_longer():
    with pytest.raises(ValueError, match=r"weight: shape \(3, 2\) was requested; at most its own \(2, 2\)"):
        build_resized(lambda: nn.Linear(2, 2), {"weight": (3, 2)})


def test_a_network_that_makes_other_layers_each_time_is_refused():
    made = iter([nn.Linear, nn.Bilinear])

    def factory():
        kind = next(made)
        return kind(2, 2) if kind is nn.Linear else kind(2, 2, 2)

    with pytest.raises(ValueError, match=r"Bilinear\.weight: not registered by the first call"):
        build_resized(factory, {})


def test_a_tensor_that_is_replaced_behind_its_layers_back_is_refused():
    class Replaced(nn.Linear):
        def __init__(self):
            super().__init__(4, 4)
            self.weight.data = torch.zeros(4, 4)

    with pytest.raises(ValueError, match="weight: replaced after registration"):
        build_resized(Replaced, {"weight": (2, 2)})


def test_afterwards_layers_are_made_as_always_whatever_happened():
    with pytest.raises(ValueError, match="was requested"):
        build_resized(lambda: nn.Linear(2, 2), {"weight": (3, 2)})
    assert nn.Linear(2, 2).weight.shape == (2, 2)
