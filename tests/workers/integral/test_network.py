import copy
import io
import pickle

import pytest
import torch
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
from workers.integral.sampling import Sampling
from workers.integral.sizes import sample_sizes


def fewer(network):
    """A sample less for every group that has one to spare."""
    return {name: max(1, size - 1) for name, size in network.sizes.items()}


@pytest.fixture
def integral(network):
    """An integral network between its channels, in evaluation mode."""
    made = IntegralNetwork(*network)
    made.resize(fewer(made))
    return made


@pytest.fixture
def residual(make):
    made = IntegralNetwork(*make("residual"))
    made.resize(fewer(made))
    return made


@pytest.fixture
def builds(monkeypatch):
    """How often weights were made from coefficients."""
    counted = []
    original = Sampling.__call__

    def counting(self, tensors):
        counted.append(1)
        return original(self, tensors)

    monkeypatch.setattr(Sampling, "__call__", counting)
    return counted


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


def test_evaluation_makes_the_weights_once(integral, images, builds):
    for _ in range(3):
        integral(images)
    assert len(builds) == 1


def test_training_makes_them_every_time(integral, images, builds):
    integral.train()
    for _ in range(3):
        integral(images)
    assert len(builds) == 3


def change_in_place(integral):
    with torch.no_grad():
        next(integral.parameters()).mul_(1.5)


def change_by_optimizer(integral):
    optimizer = torch.optim.SGD(integral.parameters(), lr=0.1)
    for parameter in integral.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()


def change_by_loading(integral):
    integral.load_state_dict({name: 0.5 * tensor for name, tensor in integral.state_dict().items()})


def change_by_hand_and_mode(integral):
    next(integral.parameters()).data.mul_(1.5)
    integral.train().eval()


def change_the_size(integral):
    integral.resize({name: max(1, size - 1) for name, size in integral.sizes.items()})


CHANGES = [change_in_place, change_by_optimizer, change_by_loading, change_by_hand_and_mode, change_the_size]


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_is_noticed_in_evaluation(integral, images, builds, change):
    before = integral(images)
    change(integral)
    after = integral(images)
    assert len(builds) == 2
    assert not torch.allclose(after, before, rtol=1e-3, atol=1e-3)  # rounding is at 1e-6
    assert torch.equal(after, integral.export()(images))


def test_another_type_is_noticed_in_evaluation(integral, images, builds):
    # By the type of what comes out: the values may agree to the last bit.
    integral(images)
    integral.double()
    after = integral(images.double())
    assert len(builds) == 2
    assert after.dtype == torch.float64
    assert torch.equal(after, integral.export()(images.double()))


def test_changed_statistics_are_noticed_too(residual, images):
    before = residual(images)
    buffer = residual.functions.get_buffer("bn1.running_mean")
    buffer.add_(1)
    assert not torch.allclose(residual(images), before)


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


def compiled_agrees(integral, images, backend, options=None, modes=(True, False, True), changes=()):
    torch.compiler.reset()
    compiled = torch.compile(integral, backend=backend, options=options)
    for training in modes:
        integral.train(training)
        expected = copy.deepcopy(integral)(images)
        found = compiled(images)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        if training:
            found.square().mean().backward()
            assert all(each.grad is not None for each in integral.parameters())
    integral.eval()
    for change in changes:
        change(integral)
        torch.testing.assert_close(compiled(images), copy.deepcopy(integral)(images), rtol=1e-4, atol=1e-5)
    torch.compiler.reset()


@pytest.mark.slow
def test_it_compiles(residual, images):
    compiled_agrees(residual, images, "aot_eager", changes=(change_in_place, change_the_size))


@pytest.mark.slow
def test_it_compiles_to_machine_code(images, monkeypatch, tmp_path):
    # A cache of its own: torch would take code for one set of instructions from it and compile it for another.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    # Channels stay first, for with channels last oneDNN writes beyond its memory where a processor has AVX2 and no more
    # (or ONEDNN_MAX_CPU_ISA=AVX2): gradients of a strided 1x1 convolution's weights, at fewer than 8 input channels
    # (uxlfoundation/oneDNN#6035). Nothing of Orchard's is needed for it, nor a compiler:
    #     x = torch.rand(3, 4, 8, 8).to(memory_format=torch.channels_last)
    #     w = torch.rand(8, 4, 1, 1, requires_grad=True)
    #     for _ in range(300):
    #         torch.nn.functional.conv2d(x, w, stride=2).sum().backward()
    # What is compiled anew, and when, is above: here it is that the code for a step and for a forward pass is right.
    options = {"layout_optimization": False}
    module = nn.Sequential(nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(180, 3))
    integral = IntegralNetwork(module, find_groups(module, (1, 8, 8)))
    integral.resize(fewer(integral))
    compiled_agrees(integral, images, "inductor", options=options, modes=(True, False))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(integral, images, dtype):
    expected = integral(images)
    half = copy.deepcopy(integral).to(dtype)
    found = half(images.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.05)
    half.train()(images.to(dtype)).float().square().mean().backward()
    assert all(each.grad.dtype == dtype for each in half.parameters())


def test_autocast(integral, images):
    expected = integral.train()(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = integral(images)
    found.float().square().mean().backward()
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1)
    assert all(each.grad.dtype == torch.float32 and each.grad.isfinite().all() for each in integral.parameters())


def test_weights_are_made_in_single_precision_under_autocast(residual):
    expected = residual.export().state_dict()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = residual.export().state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())


def test_distributed_data_parallel(residual, images, tmp_path):
    expected = copy.deepcopy(residual).train()
    expected(images).square().mean().backward()
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        parallel = nn.parallel.DistributedDataParallel(residual).train()
        parallel(images).square().mean().backward()
        evaluated = parallel.eval()(images)
    finally:
        torch.distributed.destroy_process_group()
    for found, wanted in zip(residual.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(found.grad, wanted.grad)
    assert torch.equal(evaluated, residual.export()(images))


def test_statistics_follow_passes_at_full_size(make, images):
    module, channel_map = make("residual")
    integral, ordinary = IntegralNetwork(module, channel_map).train(), copy.deepcopy(module).train()
    integral(images)
    ordinary(images)
    assert all(torch.equal(a, b) for a, b in zip(integral.functions.buffers(), ordinary.buffers(), strict=True))


def test_statistics_at_samples_become_those_of_the_functions(residual, images):
    name = "bn1.running_mean"
    with torch.no_grad():
        residual.functions.get_buffer(name).fill_(5.0)
    residual.train()
    exported = residual.export().train()
    for _ in range(60):  # each takes a tenth of what is left
        residual(images)
        exported(images)
    wanted = exported.get_buffer(name)
    found = residual.eval().export().get_buffer(name)
    assert float((found - wanted).abs().max()) < 0.1 * float((wanted - 5.0).abs().max())


def test_a_network_in_evaluation_mode_learns_no_statistics(residual, images):
    before = {name: each.clone() for name, each in residual.functions.named_buffers()}
    residual.eval()(images)
    assert all(torch.equal(residual.functions.get_buffer(name), each) for name, each in before.items())


def test_a_frozen_norm_uses_sampled_statistics(residual, images):
    for layer in residual.train().functions.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    found = residual(images)
    torch.testing.assert_close(found, residual.eval()(images), rtol=1e-5, atol=1e-6)


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
