import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from jobs.spec.training import Recipe
from workers.sparsity import KeepMasked, masked

NESTEROV = Recipe(epochs=3, batch_size=8, learning_rate=0.1, momentum=0.9, weight_decay=0.1, nesterov=True)


def half(model):
    """Masks that leave out every second weight of the two convolutions."""
    return {
        name: (torch.arange(model.get_parameter(name).numel()) % 2 == 0).view_as(model.get_parameter(name))
        for name in ("first.weight", "second.weight")
    }


def test_what_is_masked_stays_exactly_zero_through_momentum_and_weight_decay(small, follow):
    masks, before = half(small), {name: each.clone() for name, each in small.named_parameters()}
    follow(small, KeepMasked(small, masks), recipe=NESTEROV)
    for name, mask in masks.items():
        found = small.get_parameter(name)
        assert torch.equal(found != 0, mask)
        assert not torch.equal(found[mask], before[name][mask])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon"])
@pytest.mark.parametrize("keep", ["last", "best", "ema"])
def test_it_stays_zero_whatever_the_optimizer_and_the_weights_that_are_kept(optimizer, keep, follow):
    """Muon makes its step of the whole matrix: a weight without a gradient moves, too."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    masks = {f"{layer}.weight": torch.rand(model[layer].weight.shape) > 0.5 for layer in (1, 3, 5)}
    recipe = Recipe(optimizer=optimizer, epochs=2, batch_size=8, learning_rate=0.01, weight_decay=0.1, ema=0.9)
    follow(model, KeepMasked(model, masks), recipe=recipe.model_copy(update={"keep": keep}))
    for name, mask in masks.items():
        assert torch.equal(model.get_parameter(name) != 0, mask)


def test_without_the_hook_zeros_grow_back(small, follow):
    masks = half(small)
    small.load_state_dict(masked(small.state_dict(), masks))
    follow(small, None, recipe=NESTEROV)
    assert not torch.equal(small.first.weight != 0, masks["first.weight"])


def test_a_masked_state_has_the_survivors_bit_for_bit(small):
    masks, state = half(small), small.state_dict()
    found = masked(state, masks)
    assert found.keys() == state.keys()
    for name, mask in masks.items():
        assert torch.equal(found[name][mask], state[name][mask])
        assert not found[name][~mask].any()
    assert found["head.weight"] is state["head.weight"]


def test_a_mask_that_does_not_fit_is_refused(small):
    with pytest.raises(BadInputError, match=r"mask of first.weight: shape \(2,\); the network has \(3, 1, 3, 3\)"):
        KeepMasked(small, {"first.weight": torch.ones(2, dtype=torch.bool)})
    with pytest.raises(BadInputError, match="no such tensor"):
        masked(small.state_dict(), {"third.weight": torch.ones(2, dtype=torch.bool)})
