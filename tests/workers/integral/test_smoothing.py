import pytest
import torch

from workers.integral.smoothing import smooth


def test_with_a_coefficient_per_channel_nothing_changes(network):
    module, channel_map = network
    state = module.state_dict()
    for name, tensor in smooth(state, channel_map, 1.0).items():
        torch.testing.assert_close(tensor, state[name])


def test_what_is_smooth_already_stays_and_what_alternates_goes(make):
    # Biases of a group of six: a half wave, which three coefficients hold, and a change of sign per channel.
    module, channel_map = make("flattened")
    place = (torch.arange(6) + 0.5) / 6
    wave, alternating = torch.cos(torch.pi * place), torch.tensor([1.0, -1, 1, -1, 1, -1])
    state = dict(module.state_dict())
    found = [smooth({**state, "2.bias": bias}, channel_map, 0.5)["2.bias"] for bias in (wave, alternating)]
    assert (found[0] - wave).norm() < 0.05 * wave.norm()
    assert found[1].norm() < 0.5 * alternating.norm()


@pytest.mark.parametrize("scale", [0.3, 0.6])
def test_doing_it_again_changes_nothing(network, scale):
    module, channel_map = network
    once = smooth(module.double().state_dict(), channel_map, scale)
    for name, tensor in smooth(once, channel_map, scale).items():
        torch.testing.assert_close(tensor, once[name], rtol=1e-6, atol=1e-9)
