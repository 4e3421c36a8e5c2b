"""Transfer: the network after a method becomes the backbone of another one, on other data."""

import copy
import json
from dataclasses import replace

import pytest
from planned import ENVIRONMENT, back, curve_of

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.stages.table import StageKind
from jobs.stages.training import ScratchTraining, TransferTraining
from orchestrator.planning import plan_sweep

HERE = "tests.support.with_backbone"
TRANSFER = {
    "kind": "transfer",
    "network": f"{HERE}:with_backbone",
    "arguments": {"width": 4},
    "data": {"dataset": f"{HERE}:brightened", "root": "/bright"},
    "objective": f"{HERE}:brightening",
    "train": {"epochs": 2},
}
SWEEP = {
    "name": "both",
    "data": {"dataset": "digits"},
    "compressions": [0.3],
    "models": {
        "net": {"network": "plain", "train": {"epochs": 1}},
        "moved": {"transfer": {"model": "net", "protocol": "move"}},
    },
    "methods": {
        "dense": {"kind": "dense", "protocols": ["none", "move"], "models": ["net"]},
        "prune-c": {
            "kind": "criterion",
            "criterion": "l1",
            "models": ["net"],
            "protocols": ["move", "scratch-move"],
        },
        "prune-d": {"kind": "criterion", "criterion": "l1", "models": ["moved"], "protocols": ["tuned", "scratch"]},
    },
    "protocols": {
        "move": TRANSFER,
        "scratch": {"kind": "scratch"},
        "scratch-move": {**TRANSFER, "after": "scratch"},
        "tuned": {"kind": "fine-tune", "train": {"epochs": 1, "augment": "none"}},
    },
}


@pytest.fixture
def plan(write_sweep):
    own_data = {"protocols.move.data": "own", "protocols.scratch-move.data": "own"}
    spec = load_sweep(str(write_sweep({**SWEEP, "controls": False})))
    return plan_sweep(spec, replace(ENVIRONMENT, own_data=own_data))


def network_behind(plan, method, protocol):
    (point,) = curve_of(plan, method, protocol).points
    evaluated = plan.tasks[point.key]
    return evaluated, back(plan, evaluated)


def test_a_pruned_network_is_transferred_and_judged_on_the_other_data(plan):
    evaluated, moved = network_behind(plan, "prune-c", "move")
    assert isinstance(moved.params.procedure, TransferTraining)
    assert moved.params.procedure.arguments == {"width": 4}
    assert back(plan, moved).stage is StageKind.PRUNE
    for task in (evaluated, moved):
        assert (task.params.data.fingerprint, task.locations.data) == ("own", "/bright")
        assert task.params.objective.name == f"{HERE}:brightening"
    assert curve_of(plan, "prune-c", "move").dataset == f"{HERE}:brightened"


def test_backbones_race_before_they_are_transferred(write_sweep):
    """The dense network that they are timed beside does not: it is trained for itself."""
    sweep = copy.deepcopy({**SWEEP, "controls": False, "measure": {"latency": {}}})
    sweep["protocols"] = {
        "scratch": {"kind": "scratch", "race": {"rungs": [0.5]}},
        "moved": {**TRANSFER, "after": "scratch"},
    }
    asked = {"models": ["net"], "protocols": ["moved"]}
    sweep["methods"] = {name: {"kind": "criterion", "criterion": name, **asked} for name in ("l1", "l2")}
    sweep["models"].pop("moved")
    plan = plan_sweep(
        load_sweep(str(write_sweep(sweep))), replace(ENVIRONMENT, own_data={"protocols.moved.data": "own"})
    )
    behind = {name: network_behind(plan, name, "moved") for name in ("l1", "l2")}
    legs = [back(plan, moved).params.procedure.leg for _, moved in behind.values()]
    assert len({each.race for each in legs}) == 1
    (timing,) = {
        key for name in behind for _, key in curve_of(plan, name, "moved").points[0].further[:1] if name == "l1"
    }
    dense = plan.tasks[plan.tasks[timing].params.dense.network]
    assert back(plan, dense).params.procedure.leg is None


def test_it_is_compared_with_the_dense_network_after_the_same_transfer(plan):
    controls = {(curve.method, curve.protocol): curve.control for curve in plan.curves}
    assert controls["prune-c", "scratch-move"] == controls["prune-c", "move"] == controls["dense", "move"] == "move"
    assert controls["prune-d", "tuned"] == controls["dense", "none"] == "none"


def test_another_protocol_may_come_before(plan):
    _, moved = network_behind(plan, "prune-c", "scratch-move")
    scratch = back(plan, moved)
    assert isinstance(scratch.params.procedure, ScratchTraining)
    assert scratch.params.data.fingerprint == "d"


def test_a_model_may_be_the_transfer_of_another_one(plan):
    _, tuned = network_behind(plan, "prune-d", "tuned")
    pruned = back(plan, tuned)
    moved = back(plan, pruned, 2)  # behind its conversion
    assert isinstance(moved.params.procedure, TransferTraining)
    # It is the network of the dense curve with that protocol, computed once.
    assert moved == network_behind(plan, "dense", "move")[1]
    _, scratch = network_behind(plan, "prune-d", "scratch")
    assert (scratch.params.procedure.recipe.epochs, scratch.params.data.fingerprint) == (2, "own")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("models", "moved", "transfer", "model"), "nett", "did you mean 'net'"),
        (("models", "moved", "transfer", "protocol"), "scratch", "name one of those of kind transfer: move"),
        (("models", "moved", "network"), "plain", "has `transfer`, whose protocol says everything; remove network"),
        (("models", "moved", "arguments"), {"width": 4}, "whose protocol says everything; remove arguments"),
        (("models", "net", "network"), None, "has no network; give `network`, or `transfer`"),
        (("methods", "prune-d", "protocols"), ["move"], "is the transfer of another model; transfer that one"),
        (("protocols", "scratch-move", "after"), "move", "comes after 'move', which is a transfer and has to be"),
        (("protocols", "scratch-move", "after"), "scrach", "did you mean 'scratch'"),
    ],
)
def test_a_transfer_that_cannot_be_is_refused(write_sweep, path, value, said):
    sweep = copy.deepcopy(SWEEP)
    *parents, last = path
    node = sweep
    for parent in parents:
        node = node[parent]
    node[last] = value
    with pytest.raises(InvalidFileError, match=said):
        load_sweep(str(write_sweep(sweep)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocols.tuned.train.augment": "crop-flip"}, "model moved, protocol 'tuned': augment: crop-flip is none"),
        (
            {
                "protocols.tuned.train.augment": "crop-flip",
                "protocols.again": {"kind": "fine-tune", "after": "tuned", "train": {"epochs": 1}},
                "methods.prune-d.protocols": ["again"],
            },
            "model moved, protocol 'tuned': augment: crop-flip is none",
        ),
        ({"protocols.move.train.augment": "crop-flip"}, "augment: crop-flip is none of the objective detection"),
        ({"measure.export": True}, "cannot be written as graphs, which measure.export asks for"),
    ],
)
def test_what_does_not_suit_the_objective_of_a_transfer_is_refused(write_sweep, changes, said):
    detecting = {"protocols.move.objective": "detection", "protocols.scratch-move.objective": "detection"}
    overrides = [f"{path}={json.dumps(value)}" for path, value in {**detecting, **changes}.items()]
    with pytest.raises(InvalidFileError, match=said):
        load_sweep(str(write_sweep(SWEEP)), overrides)
