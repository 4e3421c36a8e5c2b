import logging

import pytest
from tunings import same, tune

from jobs.errors import CancelledError

# Batches of 24 of 64 images: three a pass, the last with 16, so that a loss falls into passes and between them.
RESUMED = {"biases": True, "batch_size": 24, "learning_rate": 0.02}


def assert_same(found, expected):
    assert same(found.cells, expected.cells)
    assert same(found.biases, expected.biases)
    losses = [(each.before.loss, each.after.loss, each.best_step) for each in (found, expected)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("number", range(1, 13))
def test_lost_before_any_step_it_ends_with_the_same_bits(problem, slot, lost, lost_at, caplog, number):
    caplog.set_level(logging.INFO, logger="orchard")
    expected = tune(problem, **RESUMED)
    with pytest.raises(lost):
        tune(problem, checkpoint=slot.checkpoint(), should_stop=lost_at(number), **RESUMED)
    assert_same(tune(problem, checkpoint=slot.checkpoint(), **RESUMED), expected)
    assert (f"goes on from the checkpoint at tuning step {number - 1} of 12" in caplog.text) == (number > 1)


def test_lost_after_its_last_step_nothing_is_repeated(problem, slot, lost_at):
    expected = tune(problem, checkpoint=slot.checkpoint(), **RESUMED)
    assert_same(tune(problem, checkpoint=slot.checkpoint(), should_stop=lost_at(1), **RESUMED), expected)


def test_stopped_on_request_it_repeats_no_step(problem, slot):
    expected, answers, asked = tune(problem, **RESUMED), iter([False] * 4 + [True]), []
    with pytest.raises(CancelledError):
        tune(problem, checkpoint=slot.checkpoint(interval_s=30), should_stop=lambda: next(answers), **RESUMED)
    again = tune(problem, checkpoint=slot.checkpoint(), should_stop=lambda: bool(asked.append(1)), **RESUMED)
    assert_same(again, expected)
    assert len(asked) == 12 - 4


@pytest.mark.parametrize("number", range(2, 13))
def test_at_most_one_interval_is_repeated(problem, slot, lost, number):
    asked = []

    def stop():
        asked.append(1)
        if len(asked) == number:
            raise lost
        return False

    interval = 5  # a step is a second
    with pytest.raises(lost):
        tune(problem, checkpoint=slot.checkpoint(interval_s=interval, clock=lambda: len(asked)), should_stop=stop)
    done = number - 1
    asked.clear()
    number = None
    tune(problem, checkpoint=slot.checkpoint(), should_stop=stop)
    assert done + len(asked) - 12 == done % interval


@pytest.mark.parametrize(
    ("changes", "said"), [({"steps": 11}, "of another recipe"), ({"biases": False}, "of another recipe")]
)
def test_a_checkpoint_of_another_tuning_is_ignored(problem, slot, lost, lost_at, caplog, changes, said):
    with pytest.raises(lost):
        tune(problem, checkpoint=slot.checkpoint(), should_stop=lost_at(9), **RESUMED)
    found = tune(problem, checkpoint=slot.checkpoint(), **{**RESUMED, **changes})
    assert said in caplog.text
    assert_same(found, tune(problem, **{**RESUMED, **changes}))


def test_a_checkpoint_of_another_network_is_ignored(problem, problem_of, slot, lost, lost_at, caplog):
    with pytest.raises(lost):
        tune(problem_of("residual"), checkpoint=slot.checkpoint(), should_stop=lost_at(9))
    assert_same(tune(problem, checkpoint=slot.checkpoint()), tune(problem))
    assert "its free tensors: it or the computation lacks" in caplog.text


def test_a_torn_checkpoint_is_ignored(problem, slot, lost, lost_at, caplog):
    with pytest.raises(lost):
        tune(problem, checkpoint=slot.checkpoint(), should_stop=lost_at(9))
    slot.content = slot.content[:-1]
    assert_same(tune(problem, checkpoint=slot.checkpoint()), tune(problem))
    assert "ignored: it is damaged" in caplog.text


def test_a_network_with_such_a_table_goes_on_where_it_was_lost(looked_up, slot, lost, lost_at):
    expected = tune(looked_up, **RESUMED)
    with pytest.raises(lost):
        tune(looked_up, checkpoint=slot.checkpoint(), should_stop=lost_at(6), **RESUMED)
    assert_same(tune(looked_up, checkpoint=slot.checkpoint(), **RESUMED), expected)
