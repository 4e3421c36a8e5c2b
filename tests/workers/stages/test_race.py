"""Trainings that race: the best at a rung go on as if they had not stopped, the others stay as they are."""

from dataclasses import replace

import pytest
import torch
from plain_tasks import ENVIRONMENT

from jobs.outcome import Cause, Succeeded
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey
from jobs.stages.training import Leg, RaceParams
from jobs.task import make_task
from workers.attempt.entry import run_task

RECIPE = Recipe(epochs=2, batch_size=100, learning_rate=0.02, augment="crop-flip")
RUNGS = (0.25, 0.5)


@pytest.fixture
def lines(bench):
    """Three pruned networks, of which `l1` has most of the weights and `random` lost nearly all."""
    converted = bench.convert(fold=False)
    return {
        "l1": bench.remove(converted, 0.1),
        "taylor": bench.remove(converted, 0.3, "taylor"),
        "random": bench.remove(converted, 0.8, "random"),
    }


@pytest.fixture
def raced(bench, lines):
    """Name -> the trainings of a network: after each rung, and in the end; and the two races."""
    legs = {name: [bench.key(bench.further(key, RECIPE, Leg(until=RUNGS[0])))] for name, key in lines.items()}
    races = []
    for until in (RUNGS[1], None):
        races.append(bench.race(*([line[-1]] for line in legs.values())))
        for name, line in legs.items():
            leg = Leg(until=until, start=line[-1], race=races[-1])
            line.append(bench.key(bench.further(lines[name], RECIPE, leg)))
    return legs, races


def test_at_a_rung_each_says_how_it_does_on_validation(bench, raced):
    legs, (race, _) = raced
    at_rung = {name: bench.measured(line[0]) for name, line in legs.items()}
    for measured in at_rung.values():
        assert measured["rung_fraction"] == 0.25
        assert measured["rung_value"] == measured["last"]["validation_accuracy"]
        assert measured["training_epochs"] == 0.5
    ranked = bench.measured(race)["ranked"]
    assert [each["value"] for each in ranked] == sorted((each["rung_value"] for each in at_rung.values()), reverse=True)
    assert bench.measured(race)["kept"] == 2
    assert ranked[-1]["trainings"] == [legs["random"][0]]


def test_the_winner_is_what_it_would_be_without_a_race(bench, lines, raced):
    legs, races = raced
    (winner,) = (name for name, line in legs.items() if line[1] in bench.measured(races[1])["ranked"][0]["trainings"])
    whole = bench.key(bench.further(lines[winner], RECIPE))
    assert bench.digests(legs[winner][-1]) == bench.digests(whole)
    assert bench.measured(legs[winner][-1]) == bench.measured(whole)


def test_a_loser_keeps_what_it_has_with_a_note(bench, raced):
    legs, races = raced
    first, second, last = legs["random"]
    kept = {name: digest for name, digest in bench.digests(first).items() if name != "training.safetensors"}
    assert bench.digests(second) == bench.digests(last) == kept
    assert bench.measured(last) == bench.measured(second)
    said = bench.measured(last)
    assert said["note"].endswith("its training stopped after 25% of its steps, since it was number 3 of 3 in its race")
    assert said["stopped_after"] == 0.25
    assert said["training_epochs"] == 0.5
    assert said["training_macs"] == 3 * said["macs"] * 500
    evaluated = bench.measured(bench.evaluate(last))
    assert (evaluated["note"], evaluated["stopped_after"]) == (said["note"], 0.25)
    notes = [bench.measured(line[-1])["note"] for line in legs.values()]
    assert sum(each.endswith("after 50% of its steps, since it was number 2 of 2 in its race") for each in notes) == 1
    assert len(bench.measured(races[1])["ranked"]) == 2


def test_what_was_trained_is_told_not_where_the_rung_was_asked_for(bench, lines):
    measured = bench.measured(bench.key(bench.further(lines["l1"], RECIPE, Leg(until=0.31))))
    assert measured["rung_fraction"] == pytest.approx(6 / 20) == measured["training_epochs"] / 2


@pytest.mark.parametrize(("until", "where"), [(0.001, "its beginning"), (0.29, "step 6, where"), (0.999, "its end")])
def test_rungs_without_a_step_between_them_are_refused(bench, lines, failure, until, where):
    start = None if until == 0.001 else bench.key(bench.further(lines["l1"], RECIPE, Leg(until=0.28)))
    told = failure(bench.run(bench.further(lines["l1"], RECIPE, Leg(until=until, start=start))))
    assert f"falls on {where}" in told.message
    assert told.cause is Cause.BAD_INPUT


def test_methods_are_ranked_by_the_mean_over_their_seeds(bench, lines):
    """Three seeds of one network, and twice its best and its worst seed as another: the mean decides, not the best."""
    keys = [bench.key(bench.further(lines["taylor"], RECIPE, Leg(until=0.25), seed=seed)) for seed in range(3)]
    value = {key: bench.measured(key)["rung_value"] for key in keys}
    low, middle, high = sorted(keys, key=value.get)
    assert value[low] < value[high]
    ranked = bench.measured(bench.race([low, high], [high, high], [low, middle]))["ranked"]
    assert ranked[0]["trainings"] == [high, high]
    assert ranked[-1]["value"] == pytest.approx((value[low] + value[middle]) / 2)


def test_one_that_fails_with_a_seed_is_out_with_all_of_them(bench, lines):
    """The scheduler names the training that cannot be made; the other seed of its method stays as it is."""
    legs = {
        (name, seed): bench.key(bench.further(lines[name], RECIPE, Leg(until=0.25), seed=seed))
        for name in ("l1", "taylor")
        for seed in (0, 1)
    }
    failed = ArtifactKey("0" * 32)
    entrants = ((legs["l1", 0], legs["l1", 1]), (legs["taylor", 0], failed))
    task = make_task(RaceParams(entrants=entrants, keep=0.9), environment=ENVIRONMENT)
    outcome = run_task(replace(task, absent=frozenset([failed])), bench.store)
    assert isinstance(outcome, Succeeded), outcome
    assert [each["trainings"] for each in outcome.measurements["ranked"]] == [list(entrants[0])]
    leg = Leg(start=legs["taylor", 0], race=ArtifactKey(task.key))
    left = bench.measured(bench.key(bench.further(lines["taylor"], RECIPE, leg)))
    assert left["note"].endswith("after 25% of its steps, since it failed with another seed in its race")


@pytest.mark.parametrize(("keep", "kept"), [(0.1, 1), (1 / 3, 1), (0.5, 2), (0.9, 3)])
def test_what_goes_on_is_rounded_up(bench, lines, keep, kept):
    legs = [bench.key(bench.further(key, RECIPE, Leg(until=0.25))) for key in lines.values()]
    assert bench.measured(bench.race(*([key] for key in legs), keep=keep))["kept"] == kept


def test_a_scratch_training_goes_on_from_its_own_weights(bench, lines):
    """It begins with fresh ones, and at a rung it is as far as it came."""
    whole = bench.key(bench.scratch(lines["l1"], bench.train(), RECIPE))
    start = bench.key(bench.scratch(lines["l1"], bench.train(), RECIPE, leg=Leg(until=0.25)))
    other = bench.key(bench.scratch(lines["random"], bench.train(), RECIPE, leg=Leg(until=0.25)))
    leg = Leg(start=start, race=bench.race([start], [other], keep=0.9))
    ended = bench.key(bench.scratch(lines["l1"], bench.train(), RECIPE, leg=leg))
    assert isinstance(ended, ArtifactKey)
    assert bench.digests(ended) == bench.digests(whole)
    assert not torch.equal(bench.tensors(start)["conv1.weight"], bench.tensors(whole)["conv1.weight"])
