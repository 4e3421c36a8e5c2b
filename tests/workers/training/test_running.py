import pytest
import torch
from torch import nn

from jobs.spec.training import Recipe
from workers.training.running import in_memory_format, running


def recipe(**given):
    return Recipe(epochs=1, **given)


def test_as_ever_the_model_runs_itself():
    model = nn.Linear(2, 2)
    assert running(model, recipe()) is model


@pytest.mark.parametrize(("asked", "mode"), [(True, None), ("reduce-overhead", "reduce-overhead")])
def test_compiled_it_has_static_shapes(monkeypatch, asked, mode):
    found = []
    monkeypatch.setattr(torch, "compile", lambda model, **how: found.append(how) or model)
    running(nn.Linear(2, 2), recipe(compile=asked))
    assert found == [{"mode": mode, "dynamic": False}]


def test_weights_of_convolutions_are_channels_last_for_a_while():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(3, 2))
    weight, before = model[0].weight, model[0].weight.detach().clone()
    with in_memory_format(model, recipe(channels_last=True)):
        assert model[0].weight is weight
        assert weight.is_contiguous(memory_format=torch.channels_last)
        assert not weight.is_contiguous()
    assert weight.is_contiguous()
    assert torch.equal(weight, before)
