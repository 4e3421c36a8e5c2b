"""A training that pauses and goes on is one that does not."""

import math
from contextlib import contextmanager

import pytest
import torch
from followed_trainings import EVERYTHING, MUON, NUM_STEPS, RECIPE, assert_same, follow

from workers.training import loop

STEPS = 3 * NUM_STEPS


@pytest.mark.parametrize("changes", [{}, EVERYTHING, MUON], ids=["plain", "everything", "muon"])
@pytest.mark.parametrize(
    "rungs",
    [(0.1, 0.3), (1 / 3,), (0.5, 2 / 3, 0.9)],
    ids=["within epochs", "between epochs", "both"],
)
def test_it_ends_with_the_same_bits(slot, changes, rungs):
    recipe = RECIPE.model_copy(update={"nesterov": False, **changes})
    expected = follow(slot.checkpoint(interval_s=30), recipe=recipe)
    start = None
    for until in rungs:
        start = follow(slot.checkpoint(interval_s=30), recipe=recipe, until=until, start=start).trained.paused
        assert start is not None
    ended = follow(slot.checkpoint(interval_s=30), recipe=recipe, start=start)
    assert_same(ended, expected)
    assert ended.trained.paused is None
    assert ended.trained.epochs == expected.trained.epochs == len(expected.log.epochs)


@pytest.mark.parametrize(("until", "steps"), [(0.05, 1), (0.25, 4), (1 / 3, 6), (0.5, 9)])
def test_it_pauses_after_a_fraction_of_its_steps(slot, until, steps):
    asked = []
    paused = follow(slot.checkpoint(interval_s=30), until=until, should_stop=lambda: bool(asked.append(1)))
    assert len(asked) == steps + math.ceil(steps / NUM_STEPS)  # batches and validations
    assert paused.trained.epochs == pytest.approx(steps / NUM_STEPS)
    assert paused.log.last.epoch == math.ceil(steps / NUM_STEPS)


def test_it_goes_on_on_another_kind_of_device(slot, monkeypatch):
    expected, seeds = follow(slot.checkpoint(interval_s=30)), []

    @contextmanager
    def draws_on_a_gpu(generator, device):
        with draws_here(generator, device) as drawn_from:
            there = torch.Generator()
            yield {**drawn_from, "cuda": there}
            seeds.append(there.initial_seed())

    draws_here = loop._global_draws_from
    paused_here = follow(slot.checkpoint(interval_s=30), until=0.5).trained.paused
    monkeypatch.setattr(loop, "_global_draws_from", draws_on_a_gpu)
    assert_same(follow(slot.checkpoint(interval_s=30), start=paused_here), expected)
    assert_same(follow(slot.checkpoint(interval_s=30), start=paused_here), expected)
    assert seeds[0] == seeds[1] != torch.Generator().initial_seed()
    paused_there = follow(slot.checkpoint(interval_s=30), until=0.5).trained.paused
    monkeypatch.undo()
    assert_same(follow(slot.checkpoint(interval_s=30), start=paused_there), expected)


def test_at_a_pause_the_best_weights_are_those_of_the_best_evaluation_so_far(slot):
    whole = follow(slot.checkpoint(interval_s=30))
    paused = follow(slot.checkpoint(interval_s=30), until=0.5)
    assert [each.epoch for each in paused.log.epochs] == [1, 2]
    assert paused.log.epochs[0] == whole.log.epochs[0]
    kept = [torch.equal(paused.tensors[f"best {name}"], paused.tensors[name]) for name in paused.trained.best]
    assert all(kept) == (paused.log.best is paused.log.last)


@pytest.mark.parametrize("number", [1, 3, 5])  # the last one before its validation
def test_lost_on_its_way_to_a_rung_it_gives_the_same_bits(slot, lost, lost_at, number):
    expected = follow(slot.checkpoint(interval_s=30), until=0.25).trained.paused
    with pytest.raises(lost):
        follow(slot.checkpoint(), until=0.25, should_stop=lost_at(number))
    assert follow(slot.checkpoint(), until=0.25).trained.paused == expected


def test_lost_after_a_rung_it_goes_on_from_its_own_checkpoint(slot, lost, lost_at):
    expected = follow(slot.checkpoint(interval_s=30))
    start = follow(slot.checkpoint(interval_s=30), until=0.25).trained.paused
    with pytest.raises(lost):
        follow(slot.checkpoint(), start=start, should_stop=lost_at(6))
    assert_same(follow(slot.checkpoint(), start=start), expected)


def test_one_that_has_lost_patience_has_nothing_left_to_do(slot):
    recipe = RECIPE.model_copy(update={"epochs": 9, "patience": 1, "learning_rate": 1e-9})
    expected = follow(slot.checkpoint(interval_s=30), recipe=recipe)
    ended = follow(slot.checkpoint(interval_s=30), recipe=recipe, until=0.8)
    assert len(ended.log.epochs) < 7
    assert_same(ended, expected)
    assert_same(follow(slot.checkpoint(interval_s=30), recipe=recipe, start=ended.trained.paused), expected)
