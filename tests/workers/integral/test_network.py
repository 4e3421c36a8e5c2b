import copy
import io
import pickle

import pytest
import torch
from integral_changes import change_in_place, fewer
from token_network import INPUTS, Tokens
from torch import nn
from torch.nn import functional

from workers.channels import count_parameters, find_groups
from workers.integral import QUADRATURES, nodes_of, resample
from workers.integral.conversion import scaled_sizes, uniform_nodes
from workers.integral.kernels import KERNELS
from workers.integral.network import IntegralNetwork
from workers.integral.quadrature import Sampled
from workers.integral.rules import midpoint_rule
from workers.integral.sizes import sample_sizes


@pytest.mark.parametrize("training", [False, True])
def test_at_full_size_it_is_the_network(network, images, training):
    module, channel_map = network
    integral = IntegralNetwork(module, channel_map).train(training)
    assert torch.equal(integral(images), copy.deepcopy(module).train(training)(images))


@pytest.mark.parametrize("training", [False, True])
def test_at_another_size_it_is_the_resampled_network(network, images, rebuilt, training):
    module, channel_map = network
    integral = IntegralNetwork(module, channel_map).train(training)
    integral.resize(fewer(integral))
    nodes = {name: uniform_nodes(size) for name, size in fewer(IntegralNetwork(module, channel_map)).items()}
    state = resample(module.state_dict(), channel_map, nodes, QUADRATURES["midpoint"])
    expected = rebuilt(module, state).train(training)(images)
    torch.testing.assert_close(integral(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [0.6, 1.5])
def test_with_other_numbers_of_coefficients(network, images, scale):
    module, channel_map = network
    integral = IntegralNetwork(module, channel_map, sizes=scaled_sizes(channel_map, scale))
    assert integral.sizes == channel_map.widths()
    if scale > 1:
        torch.testing.assert_close(integral(images), module(images), rtol=1e-4, atol=1e-4)
    integral.train().resize(fewer(integral))
    integral(images).square().mean().backward()
    assert all(each.grad is not None for each in integral.parameters())


def test_a_subset_of_the_groups_is_continuous(make, images):
    module, channel_map = make("flattened")
    integral = IntegralNetwork(module, channel_map, sizes={"2": 6})
    assert integral.sizes == {"2": 6}
    integral.resize({"2": 3})
    assert integral.export().state_dict()["0.weight"].shape == (5, 1, 3, 3)
    assert integral.export().state_dict()["2.weight"].shape == (3, 5, 3, 3)
    with pytest.raises(ValueError, match="group '0' is not continuous; continuous groups: 2"):
        integral.resize({"0": 3})


def test_nodes_can_be_given(make, images, rebuilt):
    module, channel_map = make("flattened")
    integral = IntegralNetwork(module, channel_map)
    nodes = {"2": nodes_of(torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64))}
    integral.resize(nodes)
    expected = rebuilt(module, resample(module.state_dict(), channel_map, nodes, QUADRATURES["midpoint"]))
    torch.testing.assert_close(integral(images), expected(images), rtol=1e-4, atol=1e-5)


def test_groups_that_are_not_named_keep_their_partition(make):
    integral = IntegralNetwork(*make("flattened"))
    integral.resize({"2": 3})
    integral.resize({"0": 2})
    assert integral.sizes == {"0": 2, "2": 3, "6": 7}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (0, "size 0; whole numbers from 1 to 6"),
        (7, "size 7; whole numbers from 1 to 6"),
        (torch.tensor([0.2, 0.1]), "have to rise"),
        (torch.tensor([0.2, 1.1]), "have to rise within"),
        (torch.linspace(0, 1, 7), "size 7"),
    ],
)
def test_a_partition_that_is_none_changes_nothing(make, wanted, said):
    integral = IntegralNetwork(*make("flattened"))
    with pytest.raises(ValueError, match=f"group '2': .*{said}"):
        integral.resize({"0": 2, "2": wanted})
    assert integral.sizes == {"0": 5, "2": 6, "6": 7}


def test_another_kernel_and_quadrature(make, images, rebuilt):
    module, channel_map = make("residual")
    kernel = KERNELS["bspline"]
    quadrature = Sampled(rule=midpoint_rule, kernel=kernel)
    integral = IntegralNetwork(module, channel_map, kernel=kernel, quadrature=quadrature)
    torch.testing.assert_close(integral(images), module(images))
    integral.resize(fewer(integral))
    nodes = {name: uniform_nodes(size) for name, size in integral.sizes.items()}
    expected = rebuilt(module, resample(module.state_dict(), channel_map, nodes, quadrature, kernel))
    torch.testing.assert_close(integral(images), expected(images), rtol=1e-4, atol=1e-5)


def test_the_module_handed_in_is_copied(network, images):
    module, channel_map = network
    expected = module(images)
    integral = IntegralNetwork(module, channel_map)
    with torch.no_grad():
        for parameter in integral.parameters():
            parameter.zero_()
    assert torch.equal(module(images), expected)


def test_parameters_have_the_networks_names(network):
    module, channel_map = network
    integral = IntegralNetwork(module, channel_map)
    assert list(integral.state_dict()) == [f"functions.{name}" for name in module.state_dict()]
    assert [name for name, _ in integral.named_parameters()] == [
        f"functions.{name}" for name, _ in module.named_parameters()
    ]


def test_gradients_are_those_of_the_discretisation(make, images):
    module, channel_map = make("flattened")
    integral = IntegralNetwork(module, channel_map).double().train()
    integral.resize(fewer(integral))
    images, nodes = images.double(), {name: uniform_nodes(size) for name, size in integral.sizes.items()}
    integral(images).square().sum().backward()
    state = {name: each.detach().double().requires_grad_() for name, each in module.named_parameters()}
    small = integral.export()
    sampled = resample(state, channel_map, nodes, QUADRATURES["midpoint"])
    torch.func.functional_call(small, sampled, (images,)).square().sum().backward()
    for name, parameter in integral.functions.named_parameters():
        torch.testing.assert_close(parameter.grad, state[name].grad, rtol=1e-9, atol=1e-9)


def test_algorithm_1_learns_at_all_sizes(make):
    # Labels are those of the network itself; both the full and half the size get nearer to them.
    torch.manual_seed(0)
    module, channel_map = make("flattened")
    data = torch.rand(64, 1, 8, 8)
    labels = (data.mean((1, 2, 3)) > data.mean()).long() + 2 * (data[:, 0, :4].mean((1, 2)) > 0.5).long()
    integral = IntegralNetwork(module, channel_map).train()
    optimizer = torch.optim.Adam(integral.parameters(), lr=0.02)

    def losses():
        found = []
        for fraction in (1, 0.6):
            integral.resize({name: max(1, round(width * fraction)) for name, width in channel_map.widths().items()})
            with torch.no_grad():
                found.append(functional.cross_entropy(integral(data), labels).item())
        return found

    before = losses()
    # After 100 steps the losses are 0.74 of what they were; rounding, which training carries on, moves that by 0.01.
    for step in range(100):
        integral.resize(sample_sizes(0, step, channel_map.widths(), 0.5))
        loss = functional.cross_entropy(integral(data), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(after < 0.9 * start for after, start in zip(losses(), before, strict=True))


def test_an_exported_network_is_an_ordinary_one(network, images):
    module, channel_map = network
    integral = IntegralNetwork(module, channel_map)
    integral.resize(fewer(integral))
    exported = integral.export()
    assert type(exported) is type(module)
    assert torch.equal(exported(images), integral(images))
    assert sum(each.numel() for each in exported.parameters()) == count_parameters(channel_map, integral.sizes)
    for layer in exported.modules():
        if isinstance(layer, nn.Conv2d):
            assert tuple(layer.weight.shape[:2]) == (layer.out_channels, layer.in_channels // layer.groups)
    assert exported.training == integral.training
    assert integral.train().export().training


def test_an_exported_network_shares_nothing(residual, images):
    exported = residual.export()
    before = residual(images)
    with torch.no_grad():
        for tensor in [*exported.parameters(), *exported.buffers()]:
            tensor.zero_()
    residual.train().eval()
    assert torch.equal(residual(images), before)
    exported = IntegralNetwork(exported, residual.channel_map, sizes={}).export()
    assert not {id(each) for each in exported.parameters()} & {id(each) for each in residual.parameters()}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
@pytest.mark.parametrize("training", [False, True])
def test_a_copy_is_equal_and_independent(integral, images, copied, training):
    integral.train(training)(images)  # so that there is something that could be copied by mistake
    other = copied(integral)
    assert other.sizes == integral.sizes
    assert torch.equal(other(images), integral(images))
    change_in_place(other)
    assert not torch.equal(other(images), integral(images))


def test_what_is_kept_for_evaluation_is_not_saved(integral, images):
    before = len(pickle.dumps(integral))
    integral(images)
    assert len(pickle.dumps(integral)) == before


def test_a_state_goes_round(network, images):
    module, channel_map = network
    first = IntegralNetwork(module, channel_map)
    change_in_place(first)
    content = io.BytesIO()
    torch.save(first.state_dict(), content)
    second = IntegralNetwork(module, channel_map)
    content.seek(0)
    second.load_state_dict(torch.load(content, weights_only=True))
    for each in (first, second):
        each.resize(fewer(each))
    assert torch.equal(first(images), second(images))


def test_frozen_parameters_stay_frozen(make, images):
    module, channel_map = make("residual")
    module.conv1.weight.requires_grad_(False)
    integral = IntegralNetwork(module, channel_map).train()
    integral.resize(fewer(integral))
    integral(images).square().mean().backward()
    assert integral.functions.conv1.weight.grad is None
    assert not integral.export().conv1.weight.requires_grad
    assert integral.functions.linear.weight.grad is not None


class Others(nn.Module):
    """A depthwise convolution, a tensor with two names, a buffer that the state leaves out, a plain tensor."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.point = nn.Conv2d(8, 10, 1)
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.again = self.scale
        self.register_buffer("shift", torch.tensor(0.25), persistent=False)
        self.plain = torch.tensor(0.125)
        self.last = nn.Linear(10, 3)

    def forward(self, images):
        features = self.depthwise(torch.relu(self.norm(self.first(images))))
        features = torch.relu(self.point(features) * self.scale * self.again + self.shift + self.plain)
        return self.last(features.mean((2, 3)))


def test_other_networks(images):
    torch.manual_seed(0)
    module = Others().eval()
    channel_map = find_groups(module, (1, 8, 8))
    integral = IntegralNetwork(module, channel_map)
    torch.testing.assert_close(integral(images), module(images))
    integral.resize({name: width - 2 for name, width in channel_map.widths().items()})
    exported = integral.export()
    assert torch.equal(exported(images), integral(images))
    assert exported.depthwise.groups == integral.sizes["first"] == 6
    assert exported.scale is exported.again
    assert exported.shift is not integral.functions.shift
    integral.train()(images).square().mean().backward()
    assert all(each.grad is not None for each in integral.parameters())
    torch.testing.assert_close(integral(images), exported.train()(images))


def test_a_network_that_returns_more_than_a_tensor(images):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(64, 6), nn.Linear(6, 2)

        def forward(self, images):
            return {"logits": self.last(torch.relu(self.first(images.flatten(1))))}

    class Logits(nn.Module):
        def __init__(self, two):
            super().__init__()
            self.two = two

        def forward(self, images):
            return self.two(images)["logits"]

    module = Two().eval()
    inner = find_groups(module, (1, 8, 8))
    integral = IntegralNetwork(module, inner)
    assert torch.equal(integral(images)["logits"], module(images)["logits"])
    assert torch.equal(Logits(integral.train())(images), module(images)["logits"])


def test_it_is_called_as_its_network_is():
    torch.manual_seed(0)
    module, inputs = Tokens(), INPUTS.draw(3, torch.Generator().manual_seed(0))
    made = IntegralNetwork(module, find_groups(module, INPUTS))
    made.resize({"hidden": 5})
    in_training = made.train()(**inputs).logits
    assert in_training.requires_grad
    torch.testing.assert_close(made.eval()(**inputs).logits, in_training)
