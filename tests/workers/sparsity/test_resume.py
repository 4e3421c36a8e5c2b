"""A training with a regulariser that is lost goes on as if nothing had happened."""

import copy

import pytest
import torch

from jobs.spec.sparsity import GroupLassoSpec, GrowingSpec, SlimmingSpec, SoftFilterSpec, StructureSelectionSpec
from jobs.spec.training import Recipe
from workers.models import build
from workers.sparsity import KeepMasked, make_regulariser
from workers.sparsity.structure_selection import StructureSelection

KINDS = {
    "slimming": SlimmingSpec(kind="slimming", strength=0.01),
    "structure-selection": StructureSelectionSpec(kind="structure-selection", strength=0.05),
    "soft-filter": SoftFilterSpec(kind="soft-filter"),
    "group-lasso": GroupLassoSpec(kind="group-lasso", strength=0.02),
    "growing": GrowingSpec(kind="growing", increase=0.1, interval=2),
    "masks": None,
}


def start(kind, shape, map_of):
    torch.manual_seed(0)
    model = build("plain", {"widths": [3, 4], "in_channels": 1, "num_classes": 3})
    if kind == "masks":
        masks = {"features.0.weight": torch.tensor([True, False, True]).view(3, 1, 1, 1).expand(3, 1, 3, 3)}
        return model, KeepMasked(model, masks)
    return model, make_regulariser(KINDS[kind], model, map_of(model, shape), shape, compression=0.4)


# Two epochs of three batches and a validation each: lost before the second batch of the second epoch; of the one that
# acts after an epoch, before that epoch's validation.
@pytest.mark.parametrize("kind", KINDS)
def test_lost_it_ends_with_the_same_bits(kind, shape, map_of, follow, slot, lost, lost_at):
    expected, regulariser = start(kind, shape, map_of)
    log = follow(expected, regulariser)
    with pytest.raises(lost):
        follow(
            *start(kind, shape, map_of),
            checkpoint=slot.checkpoint(),
            should_stop=lost_at(8 if kind == "soft-filter" else 6),
        )
    found, regulariser = start(kind, shape, map_of)
    assert follow(found, regulariser, checkpoint=slot.checkpoint()) == log
    for name, tensor in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor), name


def test_lost_within_an_update_it_has_the_gradients_of_what_it_adds_to_the_network(
    small, map_of, follow, slot, lost, lost_at
):
    recipe = Recipe(epochs=1, batch_size=8, learning_rate=0.1, accumulate=3)

    def again():
        model = copy.deepcopy(small)
        return model, StructureSelection(model, map_of(model), structures="channels", norms={}, strength=0.05)

    (expected, regulariser), (other, lost_one), (found, resumed) = again(), again(), again()
    follow(expected, regulariser, recipe=recipe)
    with pytest.raises(lost):
        follow(other, lost_one, recipe=recipe, checkpoint=slot.checkpoint(), should_stop=lost_at(3))
    follow(found, resumed, recipe=recipe, checkpoint=slot.checkpoint())
    assert torch.equal(resumed.scales[name := next(iter(resumed.scales))], regulariser.scales[name])
    assert torch.equal(found.head.weight, expected.head.weight)


def test_what_a_regulariser_remembers_is_needed(shape, map_of, follow, slot, lost, lost_at, monkeypatch):
    kind = "structure-selection"
    expected, regulariser = start(kind, shape, map_of)
    follow(expected, regulariser)
    monkeypatch.setattr(type(regulariser), "tensors", lambda self: {})
    with pytest.raises(lost):
        follow(*start(kind, shape, map_of), checkpoint=slot.checkpoint(), should_stop=lost_at(6))
    found, regulariser = start(kind, shape, map_of)
    follow(found, regulariser, checkpoint=slot.checkpoint())
    assert not torch.equal(found.linear.weight, expected.linear.weight)
