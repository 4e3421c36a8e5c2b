import pytest
import torch

from jobs.spec.training import Recipe
from workers.training import learning_rate_at


def test_step_falls_to_a_tenth_at_half_and_a_hundredth_at_three_quarters():
    recipe = Recipe(epochs=8, learning_rate=1.0)
    assert [learning_rate_at(recipe, progress) for progress in (0.0, 3.9, 4.0, 5.9, 6.0)] == [1.0, 1.0, 0.1, 0.1, 0.01]


def test_cosine_falls_to_half_at_half_of_what_follows_the_warmup():
    recipe = Recipe(epochs=10, warmup_epochs=2, learning_rate=1.0, schedule="cosine")
    # The warm-up is straight: half of it, half the rate. Eight epochs follow, so epoch 6 is the middle.
    assert [learning_rate_at(recipe, progress) for progress in (0.0, 1.0, 2.0, 6.0)] == pytest.approx([0, 0.5, 1, 0.5])


def test_constant_is_constant():
    recipe = Recipe(epochs=4, learning_rate=0.3, schedule="constant")
    assert learning_rate_at(recipe, 3.99) == 0.3


def test_milestones_are_fractions_and_stretch_with_the_epochs():
    for epochs in (90, 180):
        recipe = Recipe(epochs=epochs, learning_rate=1.0, milestones=(1 / 3, 2 / 3))
        thirds = [share * epochs for share in (0.0, 0.33, 1 / 3, 0.66, 2 / 3)]
        assert [learning_rate_at(recipe, progress) for progress in thirds] == [1.0, 1.0, 0.1, 0.1, 0.01]


def test_the_polynomial_decay_falls_with_the_power_of_what_is_left_after_the_warmup():
    recipe = Recipe(epochs=12, warmup_epochs=2, learning_rate=2.0, schedule="poly")
    assert learning_rate_at(recipe, 2.0) == 2.0
    assert learning_rate_at(recipe, 7.0) == pytest.approx(2 * 0.5**0.9)
    assert learning_rate_at(recipe, 11.99) < 0.01


def test_linear_falls_to_nothing_after_the_warmup():
    recipe = Recipe(epochs=12, warmup_epochs=2, learning_rate=2.0, schedule="linear")
    assert [learning_rate_at(recipe, progress) for progress in (1.0, 2.0, 7.0)] == pytest.approx([1.0, 2.0, 1.0])


def test_one_cycle_is_torchs():
    steps = 1001  # torch counts to the last step, this package to the end of the epochs
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=steps)
    recipe = Recipe(epochs=10, learning_rate=0.5, schedule="one-cycle")
    for step in range(steps - 1):
        assert learning_rate_at(recipe, 10 * step / (steps - 1)) == pytest.approx(cycle.get_last_lr()[0], abs=2e-3)
        optimizer.step()
        cycle.step()
