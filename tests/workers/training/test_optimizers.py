import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from jobs.spec.training import Recipe
from workers.training.optimizers import hidden_matrices, make_optimizer


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 3))


def step(model, recipe):
    optimizer = make_optimizer(model, recipe)
    model(torch.arange(5)).square().sum().backward()
    optimizer.step()
    return optimizer


def recipe(**given):
    return Recipe(epochs=1, learning_rate=0.01, **given)


def test_hidden_matrices_are_neither_embeddings_nor_the_last_one():
    model = network()
    assert [id(each) for each in hidden_matrices(model)] == [id(model[1].weight)]


def test_muon_takes_the_hidden_matrices_and_adamw_the_rest():
    model, expected = network(), network()
    optimizer = step(model, recipe(optimizer="muon", momentum=0.95, nesterov=True, weight_decay=0.1))
    muon = torch.optim.Muon(
        [expected[1].weight], lr=0.01, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    rest = [each for each in expected.parameters() if each is not expected[1].weight]
    adamw = torch.optim.AdamW(rest, lr=0.01, weight_decay=0.1)
    expected(torch.arange(5)).square().sum().backward()
    muon.step()
    adamw.step()
    assert all(map(torch.equal, model.parameters(), expected.parameters()))
    assert len(optimizer.state) == len(list(model.parameters()))


def test_muon_without_a_hidden_matrix_is_refused():
    with pytest.raises(BadInputError, match=r"muon is for matrices of hidden linear layers.*set optimizer: adamw"):
        make_optimizer(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(2, 2)), recipe(optimizer="muon"))


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
def test_a_fused_step_is_the_same_step(kind):
    plain, fused = network(), network()
    step(plain, recipe(optimizer=kind))
    assert step(fused, recipe(optimizer=kind, fused=True)).defaults["fused"]
    for one, other in zip(plain.parameters(), fused.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_norms_and_biases_need_not_decay():
    model = network()
    decayed, bare = make_optimizer(model, recipe(weight_decay=0.5, decay_norms_and_biases=False)).param_groups
    assert (decayed["weight_decay"], bare["weight_decay"]) == (0.5, 0.0)
    assert {id(each) for each in decayed["params"]} == {id(model[index].weight) for index in (0, 1, 3)}


def test_without_the_choice_there_is_one_group_in_the_models_order():
    model = network()
    (group,) = make_optimizer(model, recipe()).param_groups
    assert [id(each) for each in group["params"]] == [id(each) for each in model.parameters()]
