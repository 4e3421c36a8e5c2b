import pytest
import torch

from workers.integral import QUADRATURES, resample
from workers.integral.conversion import convert, fit, scaled_sizes, uniform_nodes
from workers.integral.kernels import KERNELS
from workers.integral.quadrature import Sampled, midpoint, sampling_matrix
from workers.integral.rules import midpoint_rule

DOUBLE = torch.float64
every_quadrature = pytest.mark.parametrize("quadrature", QUADRATURES.values(), ids=list(QUADRATURES))
every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=list(KERNELS))


def back(coefficients, channel_map, quadrature=midpoint, kernel=KERNELS["cubic"]):
    """The network at full size, from its coefficients; the number of channels may only fall in `resample`."""
    nodes = {group.name: uniform_nodes(group.width) for group in channel_map.groups}
    return resample(coefficients.state, coefficients.channel_map, nodes, quadrature, kernel)


def relative_error(found, expected):
    names = [name for name, tensor in expected.items() if tensor.is_floating_point()]
    return max(float((found[name] - expected[name]).norm() / expected[name].norm()) for name in names)


@every_kernel
def test_at_scale_1_the_coefficients_are_the_network(network, kernel):
    module, channel_map = network
    state, quadrature = module.state_dict(), Sampled(rule=midpoint_rule, kernel=kernel)
    sizes = scaled_sizes(channel_map, 1.0)
    coefficients = convert(state, channel_map, sizes=sizes, kernel=kernel, quadrature=quadrature)
    assert relative_error(back(coefficients, channel_map, quadrature, kernel), state) <= 1e-5


@every_quadrature
def test_so_they_are_with_every_quadrature(network, quadrature):
    module, channel_map = network
    state = module.state_dict()
    coefficients = convert(state, channel_map, sizes=channel_map.widths(), quadrature=quadrature)
    assert relative_error(back(coefficients, channel_map, quadrature), state) <= 1e-5


@pytest.mark.parametrize("scale", [1.5, 2.0])
def test_with_more_coefficients_the_network_comes_back(network, scale):
    module, channel_map = network
    state = module.state_dict()
    coefficients = convert(state, channel_map, sizes=scaled_sizes(channel_map, scale))
    assert coefficients.channel_map.widths() == scaled_sizes(channel_map, scale)
    assert relative_error(back(coefficients, channel_map), state) <= 1e-5


@pytest.mark.parametrize("method", ["least-squares", "descent"])
def test_smooth_functions_need_fewer_coefficients(make, method):
    # All tensors of the second group are one half wave: half as many samples hold it to a percent.
    module, channel_map = make("flattened")
    state = dict(module.state_dict())
    wave = torch.cos(torch.pi * (torch.arange(6) + 0.5) / 6)
    state["2.weight"] = wave[:, None, None, None] * state["2.weight"][:1]
    state["2.bias"] = wave
    state["6.weight"] = (wave[None, :, None] * state["6.weight"].reshape(7, 6, 4)[:, :1]).reshape(7, 24)
    coefficients = convert(state, channel_map, sizes={"2": 4}, method=method)
    assert coefficients.state["2.weight"].shape == (4, 5, 3, 3)
    wide = sampling_matrix(uniform_nodes(6), 4).float()
    for name in ("2.weight", "2.bias"):
        found = torch.tensordot(wide, coefficients.state[name], 1)
        assert relative_error({"": found}, {"": state[name]}) < 0.04


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.5])
def test_descent_goes_where_least_squares_goes(network, scale):
    module, channel_map = network
    state, sizes = module.state_dict(), scaled_sizes(channel_map, scale)
    solved = convert(state, channel_map, sizes=sizes)
    followed = convert(state, channel_map, sizes=sizes, method="descent")
    assert relative_error(followed.state, solved.state) < 1e-4


def test_no_other_coefficients_come_nearer():
    # At the least-squares solution the error has no component that the matrix could make.
    values = torch.randn(12, 3, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    matrix = sampling_matrix(uniform_nodes(12), 7)
    found = fit(values, matrix, torch.zeros(7, 3, dtype=DOUBLE))
    torch.testing.assert_close(
        matrix.T @ (matrix @ found - values), torch.zeros(7, 3, dtype=DOUBLE), rtol=0, atol=1e-12
    )
    assert (matrix @ found - values).norm() > 0.1


@pytest.mark.parametrize("method", ["least-squares", "descent"])
def test_of_many_solutions_it_is_the_one_nearest_to_the_start(method):
    values = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    matrix, start = sampling_matrix(uniform_nodes(5), 9), torch.full((9, 2), 3.0, dtype=DOUBLE)
    found = fit(values, matrix, start, method)
    torch.testing.assert_close(matrix @ found, values, rtol=0, atol=1e-5)
    expected = start + torch.linalg.pinv(matrix) @ (values - matrix @ start)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_the_weights_of_the_quadrature_are_divided_out(make):
    # One input function, constant: twice as many coefficients, each half as heavy.
    module, channel_map = make("flattened")
    state = {**module.state_dict(), "6.weight": torch.ones(7, 24)}
    coefficients = convert(state, channel_map, sizes={"2": 12})
    torch.testing.assert_close(coefficients.state["6.weight"], torch.full((7, 48), 0.5), rtol=0, atol=1e-6)


def test_groups_that_are_not_named_stay_discrete(make):
    module, channel_map = make("flattened")
    state = module.state_dict()
    coefficients = convert(state, channel_map, sizes={"2": 4})
    changed = {name for name in state if coefficients.state[name].shape != state[name].shape}
    assert changed == {"2.weight", "2.bias", "6.weight"}
    assert coefficients.channel_map.widths() == {**channel_map.widths(), "2": 4}
    assert all(coefficients.state[name] is state[name] for name in ("0.bias", "8.weight", "8.bias"))


def test_variances_stay_variances(make):
    module, channel_map = make("residual")
    state = module.state_dict()
    for name, tensor in state.items():
        if name.endswith("running_var"):
            tensor.copy_(torch.tensor([0.0, 0, 9, 9, 0, 0, 9, 9])[: len(tensor)])
    coefficients = convert(state, channel_map, sizes=scaled_sizes(channel_map, 0.7))
    assert all((tensor >= 0).all() for name, tensor in coefficients.state.items() if name.endswith("running_var"))


def test_the_state_handed_in_is_left_alone(make):
    module, channel_map = make("residual")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    convert(module.state_dict(), channel_map, sizes=scaled_sizes(channel_map, 0.7), method="descent")
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert all(tensor.dtype == before[name].dtype for name, tensor in module.state_dict().items())


def test_sizes_at_a_scale(make):
    _, channel_map = make("flattened")
    # Groups of 5, 6 and 7; at least one is left.
    assert scaled_sizes(channel_map, 0.5) == {"0": 2, "2": 3, "6": 4}
    assert set(scaled_sizes(channel_map, 0.01).values()) == {1}


def test_a_group_that_is_none(make):
    module, channel_map = make("flattened")
    with pytest.raises(ValueError, match="no channel group 'nowhere'"):
        convert(module.state_dict(), channel_map, sizes={"nowhere": 3})
