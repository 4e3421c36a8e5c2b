import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from workers.channels import find_groups, restrict
from workers.channels.proof import prove

SHAPE = (3, 8, 8)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("ratio", [0.3, 0.7])
def test_every_tiny_network_stands_the_proof(network, known_map, ratio):
    proof = prove(network, SHAPE, known_map(network), ratio=ratio, generator=generator())
    assert proof.holds(1e-10), proof
    assert proof.change > 1e-6


def test_the_network_is_left_as_it_was(plain, known_map):
    plain.float().train()
    plain.bn1.eval()
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    prove(plain, SHAPE, known_map(plain), ratio=0.5, generator=generator())
    assert all(torch.equal(before[name], value) for name, value in plain.state_dict().items())
    assert plain.training
    assert not plain.bn1.training
    assert all(parameter.grad is None for parameter in plain.parameters())


def test_the_same_seed_gives_the_same_trial(plain, known_map):
    one, other = (prove(plain, SHAPE, known_map(plain), ratio=0.5, generator=generator(3)) for _ in range(2))
    assert one == other


def test_a_fresh_norm_is_given_numbers_so_that_the_trial_sees_it(plain, known_map):
    plain.bn2.reset_parameters()
    nn.init.zeros_(plain.bn2.weight)  # nothing behind the norm would depend on the image
    assert prove(plain, SHAPE, known_map(plain), ratio=0.5, generator=generator()).change > 1e-3


def test_nothing_removed_changes_nothing(plain, known_map):
    assert prove(plain, SHAPE, known_map(plain), ratio=0.0, generator=generator()).change == 0


def test_a_wrong_order_on_one_axis_is_seen(plain, known_map):
    found = known_map(plain)
    axes = list(found.tensors["fc1.weight"])
    axes[1] = replace(axes[1], units=axes[1].units.reshape(5, 4).T.reshape(-1).copy())  # pixels before channels
    wrong = replace(found, tensors={**found.tensors, "fc1.weight": tuple(axes)})
    proof = prove(plain, SHAPE, wrong, ratio=0.3, generator=generator())
    assert min(proof.permutation_error, proof.masking_error) > 1e-3
    assert not proof.holds()


def test_statistics_over_masked_channels_would_be_seen(build):
    model = build("ConvNext")
    found = find_groups(model, SHAPE)
    assert {group.name: group.normalised for group in found.groups} == {"stem": True, "up": False}
    silent = replace(found, groups=tuple(replace(group, normalised=False) for group in found.groups))
    assert not prove(model, SHAPE, silent, ratio=0.5, generator=generator()).holds()


def test_outputs_that_are_not_finite_do_not_count_as_training(plain, known_map):
    plain.fc2.bias.data[0] = math.inf
    assert not prove(plain, SHAPE, known_map(plain), ratio=0.3, generator=generator()).ran_backward


def test_frozen_parameters_are_pruned_and_stay_frozen(residual, known_map):
    residual.requires_grad_(False)
    proof = prove(residual, SHAPE, known_map(residual), ratio=0.5, generator=generator())
    widths = {name: max(1, width - round(width / 2)) for name, width in known_map(residual).widths().items()}
    small = restrict(known_map(residual), widths)
    assert proof.holds()
    assert proof.actual_parameters == sum(math.prod(small.shapes[name]) for name in small.parameters)


@pytest.mark.parametrize("ratio", [-0.1, 1.0])
def test_ratios_out_of_range_are_errors(plain, known_map, ratio):
    with pytest.raises(ValueError, match=rf"ratio {ratio} is outside \[0, 1\)"):
        prove(plain, SHAPE, known_map(plain), ratio=ratio, generator=generator())
