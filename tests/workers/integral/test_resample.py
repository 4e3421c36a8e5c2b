import pytest
import torch
from torch import nn

from workers.channels import count_parameters, find_groups
from workers.integral import PARTITIONS, QUADRATURES, choose_cells, nodes_of, resample
from workers.integral.kernels import KERNELS
from workers.integral.slices import group_slices

MASS = ("product", "midpoint")
both = pytest.mark.parametrize("quadrature", [QUADRATURES[name] for name in MASS], ids=MASS)
every_quadrature = pytest.mark.parametrize("quadrature", QUADRATURES.values(), ids=list(QUADRATURES))
whole_cells = pytest.mark.parametrize(
    "partition", [PARTITIONS["uniform"], PARTITIONS["adaptive"]], ids=["uniform", "adaptive"]
)
every_partition = pytest.mark.parametrize("partition", PARTITIONS.values(), ids=list(PARTITIONS))


def nodes_at(state, channel_map, widths, partition):
    cells = choose_cells(state, channel_map, widths, partition)
    return {name: nodes_of(each) for name, each in cells.items()}


def smaller(module, channel_map, widths, partition, quadrature):
    state = module.state_dict()
    return resample(state, channel_map, nodes_at(state, channel_map, widths, partition), quadrature)


def share(channel_map, fraction):
    return {name: max(1, round(width * fraction)) for name, width in channel_map.widths().items()}


@every_quadrature
@every_partition
def test_at_full_size_the_network_comes_back(network, images, rebuilt, partition, quadrature):
    module, channel_map = network
    state = smaller(module, channel_map, channel_map.widths(), partition, quadrature)
    torch.testing.assert_close(rebuilt(module, state)(images), module(images), rtol=1e-6, atol=1e-6)


@both
@every_partition
def test_smaller_networks_run_and_have_the_predicted_parameters(network, images, rebuilt, partition, quadrature):
    module, channel_map = network
    for widths in (share(channel_map, 0.6), share(channel_map, 0)):
        result = rebuilt(module, smaller(module, channel_map, widths, partition, quadrature))
        assert result(images).isfinite().all()
        assert sum(each.numel() for each in result.parameters()) == count_parameters(channel_map, widths)


def test_the_tensors_handed_in_are_left_alone(network):
    module, channel_map = network
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    smaller(module, channel_map, share(channel_map, 0.5), PARTITIONS["uniform"], QUADRATURES["product"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_types_stay(network):
    module, channel_map = network
    state = smaller(module, channel_map, share(channel_map, 0.5), PARTITIONS["uniform"], QUADRATURES["product"])
    assert {name: tensor.dtype for name, tensor in state.items()} == {
        name: tensor.dtype for name, tensor in module.state_dict().items()
    }


def test_groups_that_are_not_named_stay_as_they_are(make):
    module, channel_map = make("flattened")
    state = module.state_dict()
    # The second convolution's 6 channels become 2: its filters, and 2 x 4 inputs of the linear layer.
    nodes = {"2": torch.tensor([0.25, 0.75], dtype=torch.float64)}
    result = resample(state, channel_map, nodes, QUADRATURES["product"])
    changed = {name: tuple(tensor.shape) for name, tensor in result.items() if tensor.shape != state[name].shape}
    assert changed == {"2.weight": (2, 5, 3, 3), "2.bias": (2,), "6.weight": (7, 8)}
    assert all(torch.equal(result[name], state[name]) for name in state if name not in changed)


def test_variances_stay_variances(make):
    # Between channels of variance 0, 0, 9, 9 ... cubic interpolation undershoots 0.
    module, channel_map = make("residual")
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.tensor([0.0, 0, 9, 9, 0, 0, 9, 9])[: len(tensor)])
    state = smaller(module, channel_map, share(channel_map, 0.8), PARTITIONS["uniform"], QUADRATURES["product"])
    assert all((tensor >= 0).all() for name, tensor in state.items() if name.endswith("running_var"))


@both
def test_the_tensors_are_differentiable_in_the_nodes(network, quadrature):
    module, channel_map = network
    state = module.state_dict()
    nodes = nodes_at(state, channel_map, share(channel_map, 0.6), PARTITIONS["uniform"])
    for each in nodes.values():
        each.requires_grad_()
    result = resample(state, channel_map, nodes, quadrature)
    sum(tensor.square().sum() for tensor in result.values() if tensor.is_floating_point()).backward()
    assert all(each.grad.isfinite().all() and each.grad.abs().max() > 0 for each in nodes.values())


@whole_cells
@pytest.mark.parametrize("copies", [3, 4, 5])
def test_midpoint_makes_one_of_clones_exactly(cloned, rebuilt, images, partition, copies):
    # A node in the middle of three or more equal channels sees no others (an odd number: it is one of them; an even
    # one: both near taps and both far ones are among them), and the cell's width is their number.
    module = cloned(copies)
    channel_map = find_groups(module, images.shape[1:])
    widths = {name: width // copies for name, width in channel_map.widths().items()}
    assert list(widths.values()) == [4, 5]
    state = smaller(module, channel_map, widths, partition, QUADRATURES["midpoint"])
    expected = module(images.double())
    torch.testing.assert_close(rebuilt(module, state)(images.double()), expected, rtol=0, atol=1e-12)


@whole_cells
def test_a_node_between_two_clones_sees_the_pairs_beside_them(cloned, images, partition):
    # 2 * 19/32 of the pair, -3/32 of the one before and the one after: pairs do not become one of them exactly.
    module = cloned(2)
    channel_map = find_groups(module, images.shape[1:])
    widths = {name: width // 2 for name, width in channel_map.widths().items()}
    pairs = module.state_dict()["0.bias"][::2]
    found = smaller(module, channel_map, widths, partition, QUADRATURES["midpoint"])["0.bias"]
    expected = 19 / 16 * pairs[1:3] - 3 / 32 * (pairs[:2] + pairs[2:])
    torch.testing.assert_close(found[1:3], expected, rtol=0, atol=1e-12)


@both
@every_partition
def test_channels_that_are_all_alike_can_shrink_to_any_size(images, rebuilt, partition, quadrature):
    # Constant functions: any sampling returns the constant, and both quadratures conserve mass.
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 9, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(36, 3))
    module = module.double()
    with torch.no_grad():
        for tensor in (module[0].weight, module[0].bias):
            tensor.copy_(tensor[:1].expand_as(tensor))
        module[4].weight.copy_(module[4].weight[:, :4].repeat(1, 9))
    channel_map = find_groups(module, images.shape[1:])
    expected = module(images.double())
    for size in range(1, 10):
        state = smaller(module, channel_map, {"0": size}, partition, quadrature)
        torch.testing.assert_close(rebuilt(module, state)(images.double()), expected, rtol=0, atol=1e-12)


def test_slices_of_a_group_are_all_that_its_units_own(make):
    module, channel_map = make("flattened")
    index = channel_map.group_index("2")
    shapes = sorted(tuple(each.shape) for each in group_slices(module.state_dict(), channel_map, index))
    # A bias, a filter over 5 inputs, and 4 inputs of each of 7 linear units.
    assert shapes == [(6, 1), (6, 28), (6, 45)]


def test_an_adaptive_partition_joins_channels_that_are_alike_in_every_tensor(cloned, images):
    # Filters come in pairs, but the next layer reads every channel in another way, except 4 and 5.
    module = cloned(2)
    channel_map = find_groups(module, images.shape[1:])
    for channel in (0, 1, 2, 3, 6, 7):
        module.state_dict()["2.weight"][:, channel] += channel
    cells = choose_cells(module.state_dict(), channel_map, {"0": 7, "2": 10}, PARTITIONS["adaptive"])
    assert (cells["0"] * 8).round().tolist() == [1, 1, 1, 1, 2, 1, 1]
    assert (cells["2"] * 10).round().tolist() == [1] * 10


def test_another_kernel_for_the_output_axes(make):
    # Of six channels by straight lines: half-way between 2 and 3, and a tenth behind 3.
    module, channel_map = make("flattened")
    state = module.state_dict()
    nodes = {"2": torch.tensor([0.5, 0.6], dtype=torch.float64)}
    bias = resample(state, channel_map, nodes, QUADRATURES["midpoint"], KERNELS["linear"])["2.bias"]
    expected = torch.stack([state["2.bias"][2:4].mean(), 0.9 * state["2.bias"][3] + 0.1 * state["2.bias"][4]])
    torch.testing.assert_close(bias, expected)
