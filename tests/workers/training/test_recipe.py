import json

import pytest
from jaxtyping import TypeCheckError

from jobs.errors import BadInputError
from workers.training import Recipe, learning_rate_at


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


def test_all_bad_values_come_at_once():
    with pytest.raises(BadInputError) as caught:
        Recipe(epochs=0, batch_size=1, momentum=1.0, augment="crop")
    assert str(caught.value).splitlines()[1:] == [
        "  epochs is 0; at least 1 is needed",
        "  batch_size is 1; at least 2 is needed",
        "  momentum: 1.0 is outside [0, 1)",
        "  augment 'crop': unknown; did you mean 'crop-flip'?",
    ]


def test_an_unknown_schedule_is_refused():
    # By the recipe itself, or before it by a run of the tests that checks types as it goes.
    with pytest.raises((BadInputError, TypeCheckError), match="cosin"):
        Recipe(epochs=1, schedule="cosin")


def test_milestones_are_fractions_and_stretch_with_the_epochs():
    for epochs in (90, 180):
        recipe = Recipe(epochs=epochs, learning_rate=1.0, milestones=(1 / 3, 2 / 3))
        thirds = [share * epochs for share in (0.0, 0.33, 1 / 3, 0.66, 2 / 3)]
        assert [learning_rate_at(recipe, progress) for progress in thirds] == [1.0, 1.0, 0.1, 0.1, 0.01]


@pytest.mark.parametrize("milestones", [(0.5, 0.5), (0.7, 0.2), (0.0, 0.5), (0.5, 1.0)])
def test_milestones_rise_within_the_epochs(milestones):
    with pytest.raises(BadInputError, match="milestones:"):
        Recipe(epochs=3, milestones=milestones)


def test_it_comes_back_from_json():
    recipe = Recipe(epochs=9, milestones=(0.25, 0.5, 0.9), begin=2, until=5, nesterov=True)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert Recipe.from_json({"epochs": 4}) == Recipe(epochs=4)


def test_a_part_of_a_schedule_has_its_own_number_of_epochs():
    assert Recipe(epochs=9, begin=2, until=5).epochs_trained == 3
    assert Recipe(epochs=9, begin=2).epochs_trained == 7


@pytest.mark.parametrize("part", [{"begin": 9}, {"begin": -1}, {"until": 0}, {"until": 10}, {"begin": 4, "until": 4}])
def test_a_part_without_an_epoch_is_refused(part):
    with pytest.raises(BadInputError, match="leave no epoch of 9"):
        Recipe(epochs=9, **part)
