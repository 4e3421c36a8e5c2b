import pytest
import torch

from jobs.spec.training import Recipe
from workers.sparsity.growing import GrowingRegularisation

SLOW = {"increase": 0.1, "interval": 2, "ceiling": 0.25}


def with_norms(layer, *norms):
    """Filters of equal entries, with these l1 norms."""
    with torch.no_grad():
        for row, norm in zip(layer.weight, norms, strict=True):
            row.fill_(norm / row.numel())


def test_the_strength_rises_after_every_interval_up_to_the_ceiling(small, map_of):
    growing = GrowingRegularisation(small, map_of(small), {}, **SLOW)
    seen = []
    for _ in range(8):
        seen.append(growing.strength)
        growing.before_step()
    assert seen == pytest.approx([0, 0, 0.1, 0.1, 0.2, 0.2, 0.25, 0.25])


def test_without_an_increase_it_is_at_the_ceiling_after_half_of_the_training(small, map_of):
    growing = GrowingRegularisation(small, map_of(small), {}, increase=None, interval=2, ceiling=0.3)
    growing.before_training(12)
    seen = []
    for _ in range(12):
        seen.append(growing.strength)
        growing.before_step()
    assert seen == pytest.approx([0, 0, 0.1, 0.1, 0.2, 0.2, *[0.3] * 6])


def test_all_that_the_chosen_units_own_is_penalised_and_nothing_else(small, map_of):
    with_norms(small.first, 3.0, 1.0, 2.0)
    with_norms(small.second, 4.0, 3.0, 2.0, 1.0)
    growing = GrowingRegularisation(small, map_of(small), {"first": 2}, increase=0.5, interval=1, ceiling=1.0)
    growing.before_step()  # of strength 0
    for parameter in small.parameters():
        parameter.grad = torch.zeros_like(parameter)
    growing.before_step()
    expected = torch.tensor([0.0, 1.0, 0.0])
    for tensor in (small.first.weight, small.norm1.weight, small.norm1.bias):
        along = expected.view(-1, *[1] * (tensor.ndim - 1))
        torch.testing.assert_close(tensor.grad, 0.5 * along * tensor.detach())
    torch.testing.assert_close(small.second.weight.grad, 0.5 * expected.view(1, 3, 1, 1) * small.second.weight.detach())
    for tensor in (small.norm2.weight, small.norm2.bias, small.head.weight, small.head.bias):
        assert not tensor.grad.any()


def test_a_training_brings_them_near_zero_and_leaves_the_others(small, map_of, follow):
    with_norms(small.first, 3.0, 1.0, 2.0)
    recipe = Recipe(epochs=30, batch_size=8, learning_rate=0.2, weight_decay=0.0, schedule="constant")
    growing = GrowingRegularisation(small, map_of(small), {"first": 2}, increase=0.5, interval=4, ceiling=4.0)
    follow(small, growing, recipe=recipe)
    norms = small.first.weight.detach().flatten(1).abs().sum(1)
    assert norms[1] < 0.05 < 1 < norms[[0, 2]].min()
    assert small.norm1.weight[1].abs() < 0.05
