import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from workers.channels import find_groups
from workers.integral.algorithm1 import DrawnSizes
from workers.integral.network import IntegralNetwork
from workers.integral.sizes import sample_sizes


@pytest.fixture
def drawn(make):
    return DrawnSizes(IntegralNetwork(*make("residual")), seed=7, smallest=0.5)


def test_every_training_pass_has_the_sizes_of_its_number(drawn, images):
    widths = drawn.network.channel_map.widths()
    for step in range(3):
        drawn.train()(images)
        assert drawn.network.sizes == sample_sizes(7, step, widths, 0.5)


def test_evaluation_is_at_full_size_and_draws_nothing(drawn, images, make):
    drawn.train()(images)
    drawn.eval()
    assert torch.equal(drawn(images), drawn.network.export()(images))
    assert drawn.network.sizes == drawn.network.channel_map.widths()
    assert int(drawn.passes) == 1


def test_a_restored_one_goes_on_with_the_same_sizes(drawn, images):
    other = copy.deepcopy(drawn)
    drawn.train()(images)
    other.load_state_dict(drawn.state_dict())
    for each in (drawn, other):
        each.train()(images)
    assert other.network.sizes == drawn.network.sizes


def test_it_learns_at_all_sizes(drawn, images):
    labels = torch.arange(len(images)) % 2
    optimizer = torch.optim.Adam(drawn.parameters(), lr=0.01)
    for _ in range(60):
        loss = functional.cross_entropy(drawn.train()(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for fraction in (1.0, 0.75, 0.5):
        drawn.network.resize(
            {name: max(1, int(fraction * n)) for name, n in drawn.network.channel_map.widths().items()}
        )
        ordinary = drawn.network.train().export()  # with the batch's own statistics
        assert functional.cross_entropy(ordinary(images), labels).item() < 1.15  # half of ln 10, that of guessing


def test_in_bfloat16_its_weights_and_statistics_are_computed_in_single_precision(drawn, images):
    other = copy.deepcopy(drawn)
    drawn.train()(images)
    with torch.autocast("cpu", torch.bfloat16):
        other.train()(images)
        sampled = [each.network._sampled() for each in (drawn, other)]
    for name, tensor in sampled[0].items():
        assert sampled[1][name].dtype == tensor.dtype
        if not name.endswith(("running_mean", "running_var")):
            assert torch.equal(sampled[1][name], tensor), name


@pytest.mark.parametrize("momentum", [0.1, None])
def test_no_variance_falls_below_zero_where_neighbours_differ(drawn, images, momentum):
    with torch.no_grad():
        for parameter in drawn.parameters():
            parameter[::2] *= 20  # every second channel is loud
    for module in drawn.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = momentum
    drawn.train()
    for _ in range(30):  # if they fell, they would from the first pass on
        drawn(images)
    variances = [each for name, each in drawn.network.functions.named_buffers() if name.endswith("running_var")]
    assert all(float(each.min()) >= 0 for each in variances)
    assert bool(drawn.eval()(images).isfinite().all())


class OwnNorm(nn.Module):
    """A batch norm that says nothing of its momentum."""

    def __init__(self, width):
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x):
        return functional.batch_norm(x, self.running_mean, self.running_var, training=self.training, momentum=0.3)


def test_a_norm_of_the_users_own_learns_statistics_too(images):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 8, 3), OwnNorm(8), nn.ReLU(), nn.Conv2d(8, 2, 6), nn.Flatten())
    network = IntegralNetwork(module, find_groups(module, (1, 8, 8)))
    drawn = DrawnSizes(network, seed=7, smallest=0.5).train()
    for _ in range(30):
        drawn(images)
    variance = network.functions.get_buffer("1.running_var")
    assert bool((variance != 1).all())
    assert float(variance.min()) >= 0
