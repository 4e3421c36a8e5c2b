import copy

import pytest
from planned import ENVIRONMENT, back, curve_of, line_of, stages_on_the_way, tasks_of

from jobs.load import load_sweep
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep

ROUNDS = {"rounds": 3, "train": {"epochs": 2, "augment": "none"}}
TAYLOR = {"kind": "criterion", "criterion": "taylor", **ROUNDS}
LASSO = {"kind": "reconstruction", "how": "lasso", **ROUNDS}


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def plan(method, *overrides, others=None):
        sweep = {**copy.deepcopy(tiny_sweep), "compressions": [0.6], "methods": {"m": method, **(others or {})}}
        return plan_sweep(load_sweep(write_sweep(sweep), overrides), ENVIRONMENT)

    return plan


def rounds_of(plan, stage=StageKind.PRUNE):
    params = [task.params for task in tasks_of(plan, stage)]
    return [getattr(each, "procedure", each).widths.round for each in params]


def test_a_criterion_prunes_trains_and_scores_anew(plan):
    made = plan(TAYLOR)
    stages = ["evaluate", "prune", "train", "prune", "train", "prune", "convert", "train"]
    assert stages_on_the_way(made, curve_of(made, "m").points[0].key) == stages
    pruned, scored = tasks_of(made, StageKind.PRUNE), tasks_of(made, StageKind.SCORE)
    networks = [task.params.procedure.network for task in pruned]
    assert [task.params.network for task in scored] == networks
    assert [task.params.network for task in tasks_of(made, StageKind.OBSERVE)] == networks
    assert [task.params.procedure.how.scores for task in pruned] == [task.key for task in scored]


def test_a_reconstruction_trains_between_its_rounds(plan):
    made = plan(LASSO)
    stages = ["evaluate", "reconstruct", "train", "reconstruct", "train", "reconstruct", "convert", "train"]
    assert stages_on_the_way(made, curve_of(made, "m").points[0].key) == stages


def test_every_round_knows_the_dense_network_and_the_whole_target(plan):
    made = plan(TAYLOR)
    (converted,) = tasks_of(made, StageKind.CONVERT)
    assert [each.dense for each in rounds_of(made)] == [converted.key] * 3
    assert [each.number for each in rounds_of(made)] == [1, 2, 3]
    assert {task.params.procedure.widths.compression for task in tasks_of(made, StageKind.PRUNE)} == {0.6}
    assert [round(each.gone(0.6), 3) for each in rounds_of(plan(TAYLOR, "methods.m.schedule=linear"))] == [
        0.2,
        0.4,
        0.6,
    ]


def test_training_between_rounds_is_that_of_the_method(plan):
    further = [task for task in tasks_of(plan(TAYLOR), StageKind.TRAIN) if task.params.procedure.kind == "further"]
    assert [task.params.procedure.recipe.epochs for task in further] == [2, 2]
    assert [task.label for task in further] == ["net/m@60%/seed0/round1", "net/m@60%/seed0/round2"]


def test_one_round_is_what_it_was_before_there_were_several(plan):
    (task,) = tasks_of(plan({"kind": "criterion", "criterion": "l1"}), StageKind.PRUNE)
    assert task.params.document()["procedure"]["widths"].keys() == {"allocation", "compression", "target"}


def test_the_same_sweep_has_the_same_keys(plan):
    assert plan(TAYLOR).tasks.keys() == plan(TAYLOR).tasks.keys()
    assert not set(plan(TAYLOR).targets) & set(plan(TAYLOR, "methods.m.schedule=linear").targets)


def test_layers_are_timed_in_the_dense_network_alone(plan):
    made = plan(TAYLOR, "target=latency")
    (profile,) = tasks_of(made, StageKind.PROFILE)
    assert profile.params.network == rounds_of(made)[0].dense


def test_losses_are_measured_anew_in_every_round(plan):
    made = plan({**TAYLOR, "allocation": "sensitivity"})
    assert len(tasks_of(made, StageKind.SENSE)) == 3


def test_repair_refers_to_the_network_before_the_last_round(plan):
    made = plan({**TAYLOR, "protocols": ["mend"]}, "protocols.mend={kind: repair}")
    (repair,) = tasks_of(made, StageKind.REPAIR)
    assert repair.params.dense == back(made, made.tasks[repair.params.network]).key


def test_a_design_is_compared_with_the_dense_network(plan):
    led = {"kind": "criterion", "criterion": "l1", "allocation": {"kind": "guided", "method": "m"}}
    made = plan(TAYLOR, others={"led": led})
    pruned = line_of(made, curve_of(made, "led").points[0].key)[1]
    (design,) = pruned.params.procedure.widths.allocation.designs
    assert (design.channels, made.tasks[design.channels].stage) == (rounds_of(made)[0].dense, StageKind.CONVERT)


def test_single_weights_have_schedules_and_their_old_keys(plan):
    weights = {"kind": "unstructured", "rounds": 2}
    before, after = plan(weights), plan({**weights, "schedule": "linear"})
    assert [task.params.document()["procedure"].get("schedule") for task in tasks_of(before, StageKind.PRUNE)] == [
        None
    ] * 2
    assert {task.params.procedure.schedule for task in tasks_of(after, StageKind.PRUNE)} == {"linear"}
