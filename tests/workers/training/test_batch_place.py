import pytest

from jobs.spec.training import Recipe
from workers.training.batch_place import batch_place


def places(num_samples, batch_size, accumulate):
    recipe = Recipe(epochs=1, batch_size=batch_size, accumulate=accumulate)
    num_steps = -(-num_samples // batch_size)
    return [batch_place(recipe, step, num_samples) for step in range(num_steps)]


def test_by_itself_a_batch_is_an_update():
    assert all((each.weight, each.begins, each.ends) == (1, True, True) for each in places(10, 4, 1))


def test_updates_have_the_same_batches_and_the_last_one_what_is_left():
    found = places(22, 4, 4)  # batches of 4, 4, 4, 4, and of 4, 2
    assert [each.weight for each in found] == pytest.approx([0.25] * 4 + [2 / 3, 1 / 3])
    assert [each.begins for each in found] == [True, False, False, False, True, False]
    assert [each.ends for each in found] == [False, False, False, True, False, True]


@pytest.mark.parametrize(("accumulate", "ends"), [(2, [False, True]), (3, [False, True])])
def test_a_last_batch_of_one_is_left_out_and_the_update_ends_before_it(accumulate, ends):
    *found, last = places(9, 4, accumulate)
    assert last is None
    assert [each.ends for each in found] == ends
