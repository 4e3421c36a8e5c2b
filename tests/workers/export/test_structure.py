from dataclasses import replace

import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.channels import SizeAttribute
from workers.channels.attributes import SizeTerm
from workers.export.structure import rebuild_compared, shapes_of
from workers.inputs import InputSpec
from workers.network import NetworkRecipe


class Heads(nn.Module):
    """Counts its channels in attributes of its own."""

    def __init__(self, width=8):
        super().__init__()
        self.layer, self.num_heads, self.name, self.on = nn.Linear(width, width), width, "heads", True
        self.register_buffer("zeros", torch.zeros(width), persistent=False)


def recipe_of(**arguments):
    return NetworkRecipe(network="own_structures:Heads", arguments=arguments, inputs=InputSpec.of_shape((8,)))


@pytest.fixture(autouse=True)
def own_module(monkeypatch):
    import sys
    import types

    module = types.ModuleType("own_structures")
    module.Heads = Heads
    monkeypatch.setitem(sys.modules, "own_structures", module)


def test_a_network_as_it_is_built_differs_in_nothing():
    model = Heads()
    module, structure = rebuild_compared(recipe_of(), model.state_dict(), shapes_of(model.state_dict()))
    assert (structure.resized, structure.attributes) == ({}, {})
    assert torch.equal(module.layer.weight, model.layer.weight)
    assert not module.training


def test_only_what_differs_is_listed():
    state = {"layer.weight": torch.zeros(8, 5), "layer.bias": torch.zeros(8)}
    _, structure = rebuild_compared(recipe_of(), state)
    assert structure.resized == {"layer.weight": (8, 8)}
    assert structure.attributes == {"layer": {"in_features": 5}}


def test_a_buffer_that_follows_is_listed_with_its_shape():
    follows = SizeAttribute(
        module="", name="zeros", position=0, terms=(SizeTerm(tensor="layer.weight", axis=1, times=1),)
    )
    state = {"layer.weight": torch.zeros(8, 5), "layer.bias": torch.zeros(8)}
    module, structure = rebuild_compared(replace(recipe_of(), attributes=(follows,)), state)
    assert module.zeros.shape == (5,)
    assert structure.attributes[""] == {"zeros": (5,)}


def test_a_class_that_has_changed_since_the_sweep_ran_is_told_from_the_shapes_that_it_had():
    state = Heads().state_dict()
    then = {"layer.weight": (8, 9), "layer.bias": (8,), "earlier.weight": (3,)}
    with pytest.raises(BadInputError, match="has changed since the sweep ran") as caught:
        rebuild_compared(recipe_of(), state, then)
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == [
        "earlier.weight: gone",
        "layer.weight: (8, 8), in the sweep (8, 9)",
    ]


def test_without_them_names_that_differ_are_still_listed():
    with pytest.raises(BadInputError, match=r"missing \['layer.bias'\], unexpected \['other'\]"):
        rebuild_compared(recipe_of(), {"layer.weight": torch.zeros(8, 8), "other": torch.zeros(1)})
    folded = NetworkRecipe(
        network="own_structures:Heads", arguments={}, inputs=InputSpec.of_shape((8,)), folded=(("layer", "norm"),)
    )
    with pytest.raises(BadInputError, match=r"no attribute .norm"):
        rebuild_compared(folded, Heads().state_dict())
