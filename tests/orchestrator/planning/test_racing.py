import copy

import pytest
from planned import ENVIRONMENT, back, curve_of, tasks_of

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.stages.table import StageKind
from jobs.stages.training import Leg
from orchestrator.planning import plan_sweep
from orchestrator.results.lineage import planned_settings

CRITERIA = ("l1", "l2", "random")
RACE = {"rungs": [0.25, 0.5], "keep": 0.5}


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    """A plan of three methods, whose trainings race unless they are told not to."""

    def make(protocol=None, race=RACE, methods=CRITERIA, seeds=(0, 1), further=None, **changes):
        sweep = {**copy.deepcopy(tiny_sweep), "compressions": [0.2, 0.4], "seeds": list(seeds), **changes}
        sweep["models"]["net"]["train"] = {"epochs": 8}
        asked = protocol or {"kind": "fine-tune", "train": {"epochs": 3}}
        sweep["protocols"] = {"tuned": {**asked, **({"race": race} if race else {})}, **(further or {})}
        controls = ["tuned"] if asked["kind"] != "rewind" and "after" not in asked else ["none"]
        sweep["methods"] = {"dense": {"kind": "dense", "protocols": controls}} | {
            name: {"kind": "criterion", "criterion": name, "protocols": ["tuned"]} for name in methods
        }
        return plan_sweep(load_sweep(write_sweep(sweep)), ENVIRONMENT)

    return make


def last_leg(plan, method, point=0, seed=0):
    """The task that leaves the network of a point."""
    (curve,) = (each for each in plan.curves if (each.method, each.protocol, each.seed) == (method, "tuned", seed))
    return back(plan, plan.tasks[curve.points[point].key])


def race_of(plan, task):
    return plan.tasks[task.inputs["procedure.leg.race"]]


def test_a_training_goes_from_rung_to_rung(plan):
    made = plan()
    last = last_leg(made, "l1")
    middle = made.tasks[last.inputs["procedure.leg.start"]]
    first = made.tasks[middle.inputs["procedure.leg.start"]]
    legs = [each.params.procedure.leg for each in (first, middle, last)]
    assert [each.until for each in legs] == [0.25, 0.5, None]
    assert legs[0] == Leg(until=0.25)
    assert len({back(made, each).key for each in (first, middle, last)}) == 1  # the same pruned network
    assert len({each.params.procedure.recipe for each in (first, middle, last)}) == 1
    assert [each.label for each in (first, last)] == ["net/l1@20%/seed0/rung1", "net/l1@20%/seed0"]


def test_a_leg_is_expected_to_cost_its_share_of_those_that_get_there(plan):
    made = plan()
    last = last_leg(made, "l1")
    middle = made.tasks[last.inputs["procedure.leg.start"]]
    first = made.tasks[middle.inputs["procedure.leg.start"]]
    assert [each.work for each in (first, middle, last)] == [0.25, 0.25 * 0.5, 0.5 * 0.25]


def test_the_methods_of_one_model_and_compression_race_with_all_their_seeds(plan):
    made = plan()
    for point in (0, 1):
        legs = {(method, seed): last_leg(made, method, point, seed) for method in CRITERIA for seed in (0, 1)}
        (race,) = {race_of(made, each).key for each in legs.values()}
        entrants = {tuple(each) for each in made.tasks[race].params.entrants}
        assert entrants == {
            tuple(legs[method, seed].inputs["procedure.leg.start"] for seed in (0, 1)) for method in CRITERIA
        }
    assert len(tasks_of(made, StageKind.RACE)) == 2 * 2  # compressions and rungs


def test_a_curve_asks_for_its_own_legs_and_their_races(plan):
    made, whole = plan(seeds=[0]), plan(seeds=[0], race=None)
    curves, points, rungs = len(CRITERIA), 2, 2
    more = {stage: made.asked[stage] - whole.asked[stage] for stage in StageKind}
    assert {stage: count for stage, count in more.items() if count} == {
        StageKind.TRAIN: curves * points * rungs,
        StageKind.RACE: curves * points * rungs,
    }


def test_the_order_of_the_methods_changes_no_key(plan):
    assert set(plan().tasks) == set(plan(methods=CRITERIA[::-1]).tasks)


def test_the_order_of_the_seeds_changes_no_key(plan):
    assert set(plan(seeds=[0, 1]).tasks) == set(plan(seeds=[1, 0]).tasks)


@pytest.mark.parametrize("race", [RACE, None])
def test_who_is_alone_does_not_race(plan, race):
    """The dense network is."""
    dense = last_leg(plan(race=race), "dense")
    assert dense.params.procedure.leg is None
    assert dense.key == last_leg(plan(race=None), "dense").key


@pytest.mark.parametrize(
    ("methods", "keep", "words"),
    [
        (["l1"], 0.5, "no two methods with it have a model"),
        (CRITERIA, 0.9, "keep: 0.9 of 3 methods, rounded up, is all"),
    ],
)
def test_a_race_that_stops_nobody_is_refused(plan, methods, keep, words):
    with pytest.raises(InvalidFileError, match=words):
        plan(methods=methods, race={**RACE, "keep": keep})


def test_the_dense_network_does_not_race_with_methods_that_remove_nothing(plan):
    made = plan(compressions=[0.0, 0.2])
    assert last_leg(made, "dense").params.procedure.leg is None
    first = last_leg(made, "l1")
    assert first.params.procedure.leg is not None
    assert len(race_of(made, first).params.entrants) == len(CRITERIA)


def test_at_equal_compression_only(plan):
    made = plan(methods=["l1", "l2"])
    assert last_leg(made, "l1").params.procedure.leg is not None
    alone = plan(methods=["l1", "l2"], compressions=[0.2])
    assert set(alone.targets) < set(made.targets)


@pytest.mark.parametrize(
    "protocol",
    [{"kind": "scratch", "budget": "macs"}, {"kind": "rewind", "what": "weights", "epoch": 2}],
    ids=["scratch", "rewind"],
)
def test_whatever_trains_can_race(plan, protocol):
    made = plan(protocol)
    last = last_leg(made, "l1")
    whole = last_leg(plan(protocol, race=None), "l1")
    assert last.params.procedure.leg is not None
    assert {role: key for role, key in last.inputs.items() if "leg" not in role} == whole.inputs


def test_the_settings_of_a_method_are_not_those_of_its_rivals(plan):
    made = plan(seeds=[0])
    settings = planned_settings(made, curve_of(made, "l1", "tuned"))
    assert settings["score.criterion"] == "l1"
    assert settings["race.keep"] == "0.5"
    assert settings["train.further.leg.until"] == "0.25, 0.5"


def test_what_comes_before_a_race_is_applied_to_every_entrant(plan):
    before = {"refit": {"kind": "repair", "images": 64}}
    made = plan({"kind": "fine-tune", "after": "refit", "train": {"epochs": 3}}, further=before)
    last = last_leg(made, "l1")
    race = race_of(made, last)
    first = [made.tasks[key] for key in race.inputs.values()]
    assert {back(made, each).stage for each in first} == {StageKind.REPAIR}
