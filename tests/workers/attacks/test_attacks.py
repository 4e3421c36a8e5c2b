import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from jobs.spec.attack import AutoAttack, FgsmAttack, PgdAttack
from workers.attacks import attack

ATTACKS = {
    "fgsm": FgsmAttack(kind="fgsm", epsilon=8),
    "pgd": PgdAttack(kind="pgd", epsilon=8, steps=5),
    "autoattack": AutoAttack(kind="autoattack", epsilon=8),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_one_step_goes_along_the_sign_of_the_gradient(linear, pixels, classes):
    # The loss of class 0 rises where the left pixel falls and the right one rises; of class 1 the other way round.
    size = 8 / 255
    signs = torch.tensor([[-1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]]).view(3, 1, 1, 2)
    found = attack(linear, pixels, classes, ATTACKS["fgsm"], generator=generator())
    torch.testing.assert_close(found, pixels + size * signs)


def test_many_small_steps_reach_the_same_corner(linear, pixels, classes):
    step = attack(linear, pixels, classes, ATTACKS["fgsm"], generator=generator())
    many = attack(linear, pixels, classes, PgdAttack(kind="pgd", epsilon=8, steps=20), generator=generator(1))
    torch.testing.assert_close(many, step)


def test_the_random_start_is_that_of_the_generator(linear, pixels, classes):
    slow = PgdAttack(kind="pgd", epsilon=8, steps=1, step_size=0.01)
    first, again, other = (attack(linear, pixels, classes, slow, generator=generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", ATTACKS)
def test_no_pixel_changes_by_more_than_epsilon_or_leaves_its_range_nor_does_the_global_generator(linear, classes, name):
    before = torch.get_rng_state()
    edges = torch.tensor([[1.0, 0.0], [0.51, 0.5], [0.0, 0.02]]).view(3, 1, 1, 2)
    found = attack(linear, edges, classes, ATTACKS[name], generator=generator())
    assert (found - edges).abs().max() <= 8 / 255 + 1e-6
    assert 0 <= found.min() <= found.max() <= 1
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ATTACKS)
def test_it_deceives_where_the_margin_is_small_and_not_where_it_is_large(linear, pixels, classes, name):
    found = attack(linear, pixels, classes, ATTACKS[name], generator=generator())
    assert linear(pixels).argmax(1).tolist() == [0, 0, 1]
    # Margins between left and right of 0.8, 0.04 and 0.2; an attack changes them by 4 times 2 times 8/255 over 4.
    assert (linear(found).argmax(1) == classes).tolist() == [True, False, True]


def test_the_ensemble_needs_four_classes(pixels, classes):
    two = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    with pytest.raises(BadInputError, match="autoattack needs 4 classes, and the network has 2"):
        attack(two, pixels, classes, ATTACKS["autoattack"], generator=generator())


def test_without_its_package_the_ensemble_says_what_to_install(linear, pixels, classes, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInputError, match=r"autoattack: pyautoattack is not installed.*orchard\[attacks\]"):
        attack(linear, pixels, classes, ATTACKS["autoattack"], generator=generator())
