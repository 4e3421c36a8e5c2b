import pytest
import torch
from torch import nn

from jobs.spec.training import Recipe
from workers.sparsity.group_lasso import GroupLasso


class TwoUnits(nn.Module):
    """One group of two units, each made by a weight and read by another."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Conv2d(1, 2, 1, bias=False), nn.Conv2d(2, 1, 1, bias=False)

    def forward(self, batch):
        return self.head(self.first(batch).relu()).flatten(1)


def two_units(first, head):
    model = TwoUnits()
    with torch.no_grad():
        model.first.weight.copy_(torch.tensor(first).view(2, 1, 1, 1))
        model.head.weight.copy_(torch.tensor(head).view(1, 2, 1, 1))
    return model


def test_a_proximal_step_by_hand(map_of):
    # Units (3, 4) of norm 5 and (0.3, 0.4) of norm 0.5. Rate 0.5 times strength 2 is 1: the first keeps 4/5 of itself,
    # the second is nearer to zero than 1 and goes.
    model = two_units([3.0, 0.3], [4.0, 0.4])
    GroupLasso(model, map_of(model, (1, 1, 1)), strength=2.0).after_step(0.5)
    assert model.first.weight.flatten().tolist() == pytest.approx([2.4, 0.0])
    assert model.head.weight.flatten().tolist() == pytest.approx([3.2, 0.0])
    assert model.first.weight[1].item() == 0 == model.head.weight[0, 1].item()


def test_a_unit_at_zero_stays_there(map_of):
    model = two_units([0.0, 1.0], [0.0, 1.0])
    GroupLasso(model, map_of(model, (1, 1, 1)), strength=0.1).after_step(1.0)
    assert model.first.weight.flatten().tolist() == pytest.approx([0.0, 1 - 0.1 / 2**0.5])


def test_a_training_brings_units_that_help_nothing_to_zero_in_all_their_tensors(small, map_of, follow):
    recipe = Recipe(epochs=30, batch_size=8, learning_rate=0.1, weight_decay=0.0, schedule="cosine")
    with torch.no_grad():
        small.head.weight[:, 2:] = 0  # nothing is made of the last two channels
    small.head.requires_grad_(False)
    follow(small, GroupLasso(small, map_of(small), strength=0.4), recipe=recipe)
    for tensor in (small.second.weight, small.norm2.weight, small.norm2.bias):
        assert not tensor[2:].any()
        assert tensor[:2].any()


def test_what_is_frozen_is_neither_penalised_nor_changed(map_of):
    # The readers alone are trained: |4| and |0.4|, of which 1 goes.
    model = two_units([3.0, 0.3], [4.0, 0.4])
    model.first.weight.requires_grad_(False)
    lasso = GroupLasso(model, map_of(model, (1, 1, 1)), strength=2.0)
    lasso.after_step(0.5)
    assert model.first.weight.flatten().tolist() == pytest.approx([3.0, 0.3])
    assert model.head.weight.flatten().tolist() == pytest.approx([3.0, 0.0])
    expected = model(torch.ones(1, 1, 1, 1))
    lasso.after_training()  # nothing reads the second unit
    assert model.first.weight.flatten().tolist() == pytest.approx([3.0, 0.0])
    assert torch.equal(model(torch.ones(1, 1, 1, 1)), expected)


def test_units_with_biases_at_zero_have_not_gone(small, map_of):
    for name, parameter in small.named_parameters():
        parameter.requires_grad_(name == "norm1.bias")  # which are zeros
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    lasso = GroupLasso(small, map_of(small), strength=2.0)
    lasso.after_step(0.5)
    lasso.after_training()
    assert all(torch.equal(tensor, before[name]) for name, tensor in small.state_dict().items())
