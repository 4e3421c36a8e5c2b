"""A training that is lost goes on as if nothing had happened."""

import dataclasses
import logging

import pytest
import torch
from followed_trainings import (
    CLASSIFICATION,
    DATA,
    EVERYTHING,
    MUON,
    NUM_STEPS,
    RECIPE,
    Network,
    assert_same,
    follow,
    images,
)

from jobs.errors import CancelledError
from workers.checkpoints import Checkpoint
from workers.training import train

NUM_ASKED = 3 * 7
"""How often a training asks whether to stop: before six batches and a validation of each epoch."""


@pytest.fixture(scope="module")
def undisturbed():
    return follow(Checkpoint(load=lambda: None, save=lambda content: None))


@pytest.mark.parametrize("number", range(1, NUM_ASKED + 1))
def test_lost_before_any_batch_or_validation_it_ends_with_the_same_bits(
    slot, lost, lost_at, undisturbed, number, caplog
):
    caplog.set_level(logging.INFO, logger="orchard")
    with pytest.raises(lost):
        follow(slot.checkpoint(), should_stop=lost_at(number))
    assert_same(follow(slot.checkpoint()), undisturbed)
    assert ("goes on from the checkpoint" in caplog.text) == (number > 1)


def test_lost_again_and_again_it_ends_with_the_same_bits(slot, lost, lost_at, undisturbed):
    num_lost = 0
    while True:
        try:
            found = follow(slot.checkpoint(), should_stop=lost_at(3))  # a batch or two, or a validation and a batch
        except lost:
            num_lost += 1
        else:
            break
    assert num_lost > NUM_STEPS
    assert_same(found, undisturbed)


@pytest.mark.parametrize("number", [1, 4, 7, 8, NUM_ASKED])
def test_stopped_on_request_it_repeats_no_batch(slot, undisturbed, number):
    answers = iter([False] * (number - 1) + [True])
    with pytest.raises(CancelledError):
        follow(slot.checkpoint(interval_s=30), should_stop=lambda: next(answers))
    assert slot.num_saved == 1
    asked = []
    assert_same(follow(slot.checkpoint(), should_stop=lambda: bool(asked.append(1))), undisturbed)
    assert len(asked) == NUM_ASKED - number + 1


@pytest.mark.parametrize("changes", [{"momentum": 0.0}, {"momentum": 0.9}, {"optimizer": "adam"}])
def test_without_momentum_or_by_adam_or_with_a_lonely_last_sample_it_holds_too(slot, lost, lost_at, changes):
    recipe = RECIPE.model_copy(update={"nesterov": False, "batch_size": 7, **changes})  # 22 = 3 * 7 + 1
    expected = follow(slot.checkpoint(interval_s=30), recipe=recipe)
    with pytest.raises(lost):
        follow(slot.checkpoint(), recipe=recipe, should_stop=lost_at(5))  # after the lonely one, before validation
    assert_same(follow(slot.checkpoint(), recipe=recipe), expected)


@pytest.mark.parametrize("changes", [EVERYTHING, MUON], ids=["everything", "muon"])
def test_it_holds_within_an_update_and_with_all_that_a_training_can_have(slot, lost, lost_at, changes):
    recipe = RECIPE.model_copy(update={"nesterov": False, **changes})
    expected = follow(slot.checkpoint(interval_s=30), recipe=recipe)
    for number in (3, 12, 16):  # after two batches; after four of the second epoch; before one of the third
        with pytest.raises(lost):
            follow(slot.checkpoint(), recipe=recipe, should_stop=lost_at(number))
        assert_same(follow(slot.checkpoint(interval_s=30), recipe=recipe), expected)
        slot.content = None


@pytest.mark.parametrize("number", range(2, 3 * NUM_STEPS + 1))
def test_at_most_one_interval_is_repeated(slot, lost, number):
    taken = []

    class Counting(Network):
        def forward(self, batch):
            if self.training:
                taken.append(1)
                if len(taken) == number:
                    raise lost
            return super().forward(batch)

    interval = 4  # a batch is a second
    with pytest.raises(lost):
        follow(slot.checkpoint(interval_s=interval, clock=lambda: len(taken)), model=Counting())
    done = len(taken) - 1  # the one in which it was lost was never finished
    taken.clear()
    number = None
    follow(slot.checkpoint(interval_s=1e9), model=Counting())
    repeated = done + len(taken) - 3 * NUM_STEPS
    assert 0 <= repeated < interval
    assert repeated == done % interval


def test_a_short_training_saves_nothing(slot):
    follow(slot.checkpoint(interval_s=30))
    assert slot.num_saved == 0


def test_until_an_epoch_it_has_the_weights_that_the_whole_training_had_then(slot, undisturbed):
    """So the best epoch's weights, which the whole training gives back, are those of the training until then."""
    log, whole, _ = undisturbed
    assert (log.best.epoch, log.last.epoch) == (1, 3)
    until, part, _ = follow(slot.checkpoint(interval_s=30), recipe=RECIPE.model_copy(update={"until": 1}))
    assert until.epochs == log.epochs[:1]
    for name in Network().state_dict():
        assert torch.equal(whole[f"best {name}"], part[name]), name
        assert torch.equal(part[f"best {name}"], part[name]), name


def test_from_an_epoch_on_it_follows_the_rest_of_the_schedule(slot, undisturbed):
    whole = undisturbed.log
    rest = follow(slot.checkpoint(interval_s=30), recipe=RECIPE.model_copy(update={"begin": 1})).log
    assert [each.epoch for each in rest.epochs] == [2, 3]
    assert [each.learning_rate for each in rest.epochs] == [each.learning_rate for each in whole.epochs[1:]]


def fewer_images():
    return dataclasses.replace(DATA, train=images(20, 0))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (lambda: {"recipe": RECIPE.model_copy(update={"epochs": 2})}, "of another recipe"),
        (lambda: {"model": Network(6)}, "its model has 'conv.weight'"),
        (lambda: {"data": fewer_images()}, "it is of 22 samples; there are 20"),
    ],
    ids=["recipe", "network", "data"],
)
def test_a_checkpoint_of_another_training_is_ignored(slot, lost, lost_at, caplog, changes, said):
    with pytest.raises(lost):
        follow(slot.checkpoint(), should_stop=lost_at(9))
    found = follow(slot.checkpoint(interval_s=30), **changes())
    assert said in caplog.text
    slot.content = None
    assert_same(found, follow(slot.checkpoint(interval_s=30), **changes()))


@pytest.mark.parametrize("length", [0, 9, 1000, -1])
def test_a_torn_checkpoint_is_ignored(slot, lost, lost_at, caplog, undisturbed, length):
    with pytest.raises(lost):
        follow(slot.checkpoint(), should_stop=lost_at(9))
    slot.content = slot.content[:length]
    assert_same(follow(slot.checkpoint()), undisturbed)
    assert "ignored: it is damaged" in caplog.text


def test_the_global_generator_is_left_as_it_was(slot, lost, lost_at):
    with pytest.raises(lost):
        follow(slot.checkpoint(), should_stop=lost_at(9))
    model, before = Network(), torch.manual_seed(11).get_state()
    train(
        model,
        DATA,
        RECIPE,
        CLASSIFICATION,
        generator=torch.Generator(),
        device="cpu",
        should_stop=lambda: False,
        report=lambda epoch, metrics: None,
        evaluation_batch_size=256,
        checkpoint=slot.checkpoint(),
    )
    assert torch.equal(torch.get_rng_state(), before)
