import pytest
import torch

from workers.integral import QUADRATURES, resample
from workers.integral.conversion import convert, scaled_sizes, uniform_nodes
from workers.integral.kernels import CUBIC, KERNELS
from workers.integral.sampling import Sampling

CPU = torch.device("cpu")
every_quadrature = pytest.mark.parametrize("quadrature", QUADRATURES.values(), ids=list(QUADRATURES))


def uneven_nodes(channel_map, fraction):
    generator = torch.Generator().manual_seed(0)
    nodes = {}
    for name, width in channel_map.widths().items():
        size = max(1, round(fraction * width))
        cells = torch.rand(size, generator=generator, dtype=torch.float64) + 0.2
        nodes[name] = cells.cumsum(0) / cells.sum() - cells / cells.sum() / 2
    return nodes


def sampling_of(channel_map, nodes, *, quadrature=QUADRATURES["midpoint"], kernel=CUBIC, coefficients=None):
    return Sampling(channel_map, coefficients or channel_map, nodes, kernel=kernel, quadrature=quadrature, device=CPU)


@every_quadrature
@pytest.mark.parametrize("fraction", [0, 0.6, 0.9])
def test_it_gives_the_numbers_of_resample(network, quadrature, fraction):
    module, channel_map = network
    state, nodes = module.state_dict(), uneven_nodes(channel_map, fraction)
    expected = resample(state, channel_map, nodes, quadrature)
    sampling = sampling_of(channel_map, nodes, quadrature=quadrature)
    found = sampling(state)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-5, atol=1e-5)
        assert tuple(tensor.shape) == tuple(sampling.shapes[name])


@pytest.mark.parametrize("name", ["keys", "lanczos3", "bspline"])
def test_with_other_kernels_too(make, name):
    module, channel_map = make("residual")
    state, nodes = module.state_dict(), uneven_nodes(channel_map, 0.7)
    expected = resample(state, channel_map, nodes, QUADRATURES["midpoint"], KERNELS[name])
    found = sampling_of(channel_map, nodes, kernel=KERNELS[name])(state)
    for each, tensor in found.items():
        torch.testing.assert_close(tensor, expected[each], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [0.6, 1.4])
def test_from_fewer_or_more_coefficients_the_network_has_its_own_sizes(network, scale):
    module, channel_map = network
    converted = convert(module.state_dict(), channel_map, sizes=scaled_sizes(channel_map, scale))
    nodes = {name: uniform_nodes(width) for name, width in channel_map.widths().items()}
    found = sampling_of(channel_map, nodes, coefficients=converted.channel_map)(converted.state)
    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: tensor.shape for name, tensor in module.state_dict().items()
    }


def test_at_full_size_nothing_is_copied(make):
    module, channel_map = make("residual")
    state = module.state_dict()
    nodes = {name: uniform_nodes(width) for name, width in channel_map.widths().items()}
    assert all(tensor is state[name] for name, tensor in sampling_of(channel_map, nodes)(state).items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_types_stay_and_double_precision_is_kept(make, dtype):
    module, channel_map = make("residual")
    nodes = uneven_nodes(channel_map, 0.7)
    double = {name: each.double() if each.is_floating_point() else each for name, each in module.state_dict().items()}
    exact = resample(double, channel_map, nodes, QUADRATURES["midpoint"])
    state = {name: each.to(dtype) if each.is_floating_point() else each for name, each in double.items()}
    found = sampling_of(channel_map, nodes)(state)
    tolerance = {torch.float64: 1e-12, torch.float16: 1e-2, torch.bfloat16: 5e-2}[dtype]
    for name, tensor in found.items():
        assert tensor.dtype == state[name].dtype
        torch.testing.assert_close(tensor.double(), exact[name].double(), rtol=tolerance, atol=tolerance)


@every_quadrature
def test_gradients_reach_the_coefficients(make, quadrature):
    module, channel_map = make("flattened")
    nodes = uneven_nodes(channel_map, 0.7)
    sampling = sampling_of(channel_map, nodes, quadrature=quadrature)
    weight = module.state_dict()["2.weight"][:, :, :1, :1].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: sampling({"2.weight": each})["2.weight"], (weight,))


def test_variances_stay_variances(make):
    module, channel_map = make("residual")
    state = {
        name: torch.tensor([0.0, 0, 9, 9, 0, 0, 9, 9])[: len(tensor)] if name.endswith("running_var") else tensor
        for name, tensor in module.state_dict().items()
    }
    found = sampling_of(channel_map, uneven_nodes(channel_map, 0.8))(state)
    assert all((tensor >= 0).all() for name, tensor in found.items() if name.endswith("running_var"))


def test_tensors_that_no_map_knows_are_handed_on(make):
    _, channel_map = make("flattened")
    stranger = torch.ones(2)
    assert sampling_of(channel_map, uneven_nodes(channel_map, 0.7))({"stranger": stranger})["stranger"] is stranger
