"""One analysis serves all networks of an architecture."""

import copy
from dataclasses import replace

import pytest
from planned import ENVIRONMENT, tasks_of

from jobs.load import load_sweep
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep
from tests.orchestrator.planning.test_transfer import HERE, SWEEP

NET = {"network": "resnet", "weights": "w.safetensors"}
METHODS = {"l1": {"kind": "criterion", "criterion": "l1"}, "integral": {"kind": "integral"}}
WEIGHTS = replace(ENVIRONMENT, weights={"net": "one", "other": "two"})


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def make(models, *, environment=WEIGHTS, methods=METHODS, **changes):
        sweep = {**copy.deepcopy(tiny_sweep), "models": models, "methods": methods, **changes}
        return plan_sweep(load_sweep(write_sweep(sweep)), environment)

    return make


def analyses(plan):
    return {task.key for task in tasks_of(plan, StageKind.ANALYSE)}


def test_seeds_share_one_for_each_folding(plan):
    made = plan({"net": {"network": "resnet", "train": {"epochs": 1}}}, seeds=[0, 1, 2])
    assert sorted(task.params.fold_batchnorm for task in tasks_of(made, StageKind.ANALYSE)) == [False, True]
    converted = tasks_of(made, StageKind.CONVERT)
    assert (len(converted), {task.inputs["analysis"] for task in converted}) == (6, analyses(made))


def test_checkpoints_share_one_however_they_are_read(plan):
    made = plan({"net": NET, "other": {**NET, "weights": "v.pt", "weights_key": "ema", "replace_head": True}})
    assert (len(tasks_of(made, StageKind.TRAIN)), len(analyses(made))) == (2, 2)


def test_a_second_sweep_with_another_checkpoint_training_and_seed_reuses_it(plan):
    trained = {"network": "resnet", "train": {"epochs": 3}}
    second = plan({"net": trained}, seeds=[7], compressions=[0.7], name="second", methods={"b": METHODS["l1"]})
    assert analyses(second) < analyses(plan({"net": NET}))


def test_the_normalisation_of_the_data_is_no_part_of_it(plan):
    data = {"dataset": "digits"}
    normal = {"normalize": {"mean": [0.5], "std": [0.5]}}
    assert analyses(plan({"net": NET}, data=data)) == analyses(plan({"net": NET}, data=data | normal))


def test_inputs_that_are_said_make_it_independent_of_the_data(plan):
    said = {"net": {**NET, "inputs": [{"shape": [1, 8, 8]}]}}
    elsewhere = replace(WEIGHTS, data="other")
    assert analyses(plan(said)) == analyses(plan(said, environment=elsewhere))
    assert not analyses(plan({"net": NET})) & analyses(plan({"net": NET}, environment=elsewhere))
    (task, *_) = tasks_of(plan(said), StageKind.ANALYSE)
    assert (task.params.data, task.locations.data) == (None, None)


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"widths": [4, 8]}},
        {"inputs": [{"shape": [1, 16, 16]}]},
        {"prunable": ["layer1"]},
        {"network": "plain"},
    ],
)
def test_what_the_structure_depends_on_is_part_of_it(plan, change):
    assert not analyses(plan({"net": NET})) & analyses(plan({"net": NET | change}))


def test_models_that_differ_in_their_parts_alone_are_converted_each_by_its_own(plan):
    made = plan({"net": NET, "other": {**NET, "prunable": ["layer1"]}}, environment=replace(WEIGHTS, weights={}))
    assert (len(tasks_of(made, StageKind.TRAIN)), len(analyses(made))) == (1, 4)
    assert len(tasks_of(made, StageKind.CONVERT)) == 4


def test_the_users_own_code_is_part_of_it(plan):
    own = {"net": {"network": f"{HERE}:one_size", "weights": "own"}}
    before, after = (plan(own, environment=replace(WEIGHTS, sources={f"{HERE}:one_size": each})) for each in ("1", "2"))
    assert not analyses(before) & analyses(after)


def test_weights_that_bring_arguments_are_part_of_it_and_others_are_not(plan):
    googlenet = {
        "net": {"network": "torchvision:googlenet", "weights": "pretrained", "inputs": [{"shape": [3, 64, 64]}]}
    }
    (first, *_), (second, *_) = (
        tasks_of(plan(googlenet, environment=replace(WEIGHTS, weights={"net": each})), StageKind.ANALYSE)
        for each in ("set 1", "set 2")
    )
    assert (first.params.architecture.arguments_of, first.locations.weights) == ("set 1", "pretrained")
    assert first.key != second.key
    (plain, *_) = tasks_of(plan({"net": NET}), StageKind.ANALYSE)
    assert (plain.params.architecture.arguments_of, plain.locations.weights) == (None, None)


def test_of_a_transfer_the_network_is_built_around_the_other_models(write_sweep):
    spec = load_sweep(str(write_sweep({**SWEEP, "controls": False})))
    made = plan_sweep(spec, replace(ENVIRONMENT, own_data={"protocols.move.data": "own"}))
    found = {task.label: task for task in tasks_of(made, StageKind.ANALYSE)}
    assert found.keys() == {"net", "moved"}
    moved = found["moved"].params
    assert (moved.architecture.network, moved.architecture.backbone) == (
        f"{HERE}:with_backbone",
        found["net"].params.architecture,
    )
    assert (moved.data.fingerprint, found["moved"].locations.data) == ("own", "/bright")
