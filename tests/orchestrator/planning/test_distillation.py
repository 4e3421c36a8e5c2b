"""Distillation as edges of the plan: who teaches whom; keys of tasks without it are those from before."""

import copy

import pytest
from planned import ENVIRONMENT, back, curve_of, tasks_of

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.stages.channels import ChooseParams, PermuteParams
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep

DISTILL = {"weight": 0.5, "temperature": 4.0}
FEATURES = {"weight": 0.5, "features": {"layers": ["layer*"]}}
TRAIN = {"epochs": 1, "distill": DISTILL}
ROUNDS = {"kind": "criterion", "criterion": "l1", "rounds": 2}


@pytest.fixture
def load(tiny_sweep, write_sweep):
    def make(method=None, protocol=None, **changes):
        sweep = {**copy.deepcopy(tiny_sweep), "compressions": [0.4]}
        sweep["models"]["net"]["train"] = {"epochs": 4}
        sweep["methods"] = {"dense": {"kind": "dense"}, "m": method or {"kind": "criterion", "criterion": "l1"}}
        if protocol:
            sweep["protocols"] = {"p": protocol}
            sweep["methods"]["m"] = {**sweep["methods"]["m"], "protocols": ["p"]}
        return load_sweep(str(write_sweep({**sweep, **changes})))

    return make


@pytest.fixture
def plan(load):
    return lambda *args, **changes: plan_sweep(load(*args, **changes), ENVIRONMENT)


def dense_of(made):
    return back(made, made.tasks[curve_of(made, "dense").points[0].key])


def evaluated(made, protocol="none"):
    """The task that leaves the network of the method's point."""
    return back(made, made.tasks[curve_of(made, "m", protocol).points[0].key])


@pytest.mark.parametrize(
    "protocol",
    [
        {"kind": "fine-tune", "train": TRAIN},
        {"kind": "scratch", "train": TRAIN},
        {"kind": "rewind", "what": "weights", "epoch": 2, "distill": DISTILL},
        {"kind": "rewind", "what": "learning-rate", "epoch": 2, "distill": DISTILL},
    ],
    ids=["fine-tune", "scratch", "weights", "rate"],
)
def test_the_dense_network_teaches_in_every_protocol_that_trains(plan, protocol):
    made = plan(protocol=protocol)
    task = evaluated(made, "p")
    assert task.inputs["procedure.teacher"] == dense_of(made).key
    assert task.params.procedure.recipe.distill.model_dump(exclude_none=True) == DISTILL


@pytest.mark.parametrize(
    "method",
    [
        {**ROUNDS, "train": TRAIN},
        {"kind": "unstructured", "rounds": 2, "distill": DISTILL},
        {"kind": "unstructured", "rewind": {"epoch": 2}, "distill": DISTILL},
        {"kind": "integral", "train": TRAIN},
        {"kind": "integral", "train": {**TRAIN, "start": "scratch"}},
    ],
    ids=["rounds", "unstructured", "lottery", "sizes", "sizes from scratch"],
)
def test_and_in_every_method_that_trains(plan, method):
    made = plan(method)
    teachers = [task.inputs.get("procedure.teacher") for task in tasks_of(made, StageKind.TRAIN)]
    assert [each for each in teachers if each] == [dense_of(made).key]


def test_the_dense_network_may_teach_itself(plan):
    made = plan({"kind": "dense"}, {"kind": "fine-tune", "train": TRAIN})
    assert set(evaluated(made, "p").inputs.values()) == {dense_of(made).key}


@pytest.mark.parametrize("choice", ["shortest", "reconstruction"])
def test_features_are_compared_in_the_order_of_the_pruned_channels(plan, choice):
    method = {"kind": "integral", "ordering": {"choice": choice}}
    made = plan(method, {"kind": "fine-tune", "train": {"epochs": 1, "distill": FEATURES}})
    task = evaluated(made, "p")
    teacher = made.tasks[task.inputs["procedure.teacher"]]
    assert isinstance(teacher.params, PermuteParams if choice == "shortest" else ChooseParams)
    assert teacher.key == back(made, task, 2).key
    removed = plan(protocol={"kind": "fine-tune", "train": {"epochs": 1, "distill": FEATURES}})
    assert evaluated(removed, "p").inputs["procedure.teacher"] == dense_of(removed).key


HERE = "tests.support.with_backbone"
MOVE = {
    "kind": "transfer",
    "network": f"{HERE}:with_backbone",
    "arguments": {"width": 4},
    "data": {"dataset": f"{HERE}:brightened", "root": "/bright"},
    "objective": f"{HERE}:brightening",
    "train": {"epochs": 2, "distill": {"weight": 0.5}},
}


def test_after_a_transfer_it_is_the_transferred_dense_network(plan):
    made = plan(protocol=MOVE)
    task = evaluated(made, "p")
    teacher = made.tasks[task.inputs["procedure.teacher"]]
    assert back(made, teacher).key == dense_of(made).key
    assert teacher.params.procedure.recipe.distill is None
    assert teacher.params.procedure.target == task.params.procedure.target


def test_what_says_nothing_of_it_has_the_keys_from_before(plan):
    made = plan({"kind": "integral", "train": {"epochs": 1}, "tune": {"steps": 2}}, {"kind": "fine-tune"})
    for task in made.tasks.values():
        document = str(task.params.document())
        assert "distill" not in document
        assert "teacher" not in document


@pytest.mark.parametrize(
    ("distill", "said"),
    [
        ({"temperature": 0}, "temperature: 0 is not valid: input should be greater than 0"),
        ({"weight": 1.5}, "weight: 1.5 is not valid: input should be less than or equal to 1"),
        ({"temprature": 2.0}, "did you mean 'temperature'"),
        ({"features": {"layers": []}}, "layers"),
    ],
)
def test_values_that_make_no_sense_are_faults(load, distill, said):
    with pytest.raises(InvalidFileError, match=said):
        load(protocol={"kind": "fine-tune", "train": {"epochs": 1, "distill": distill}})


IMAGES = {
    "objective": {"kind": "super-resolution", "scale": 2},
    "data": {"dataset": "sr-folders", "root": "/i"},
    "models": {"net": {"network": "edsr", "train": {"epochs": 1}}},
}
BOXES = {"objective": "detection", "data": {"dataset": "voc-detection", "root": "/i"}}
WRONG = {
    "so that there is no teacher yet": {"models": {"net": {"network": "resnet", "train": TRAIN}}},
    "it comes before pruning": {
        "method": {"kind": "criterion", "criterion": "l1", "sparsify": {"kind": "slimming", "train": TRAIN}}
    },
    "is distillation already": {"method": {"kind": "integral", "tune": {"target": "dense", "distill": DISTILL}}},
    "other layers at every step": {"method": {"kind": "integral", "train": {"epochs": 1, "distill": FEATURES}}},
    "has `distill` and trains nothing": {"method": {"kind": "unstructured", "distill": DISTILL}},
    "within a compiled network cannot be read": {
        "protocol": {"kind": "fine-tune", "train": {"epochs": 1, "compile": True, "distill": FEATURES}}
    },
    "a temperature is for logits, and networks for super-resolution have none": {
        "method": {**ROUNDS, "train": TRAIN},
        **IMAGES,
    },
    "set weight: 0, and name layers as `features`": {"protocol": {**MOVE, **BOXES}},
}


@pytest.mark.parametrize("said", WRONG)
def test_where_it_cannot_stand_the_file_says_why(load, said):
    with pytest.raises(InvalidFileError, match=said):
        load(**WRONG[said])


@pytest.mark.parametrize(
    ("method", "protocol"),
    [
        (None, {"kind": "rewind", "what": "weights", "epoch": 0, "distill": FEATURES}),
        ({"kind": "unstructured", "rounds": 2, "distill": FEATURES}, None),
    ],
    ids=["rewind", "unstructured"],
)
def test_features_of_a_model_that_is_compiled_are_not_read_where_it_is_trained_as_before(load, method, protocol):
    models = {"net": {"network": "resnet", "train": {"epochs": 1, "compile": True}}}
    with pytest.raises(InvalidFileError, match="is trained once more as it was: layers within a compiled network"):
        load(method, protocol, models=models)


def test_a_transfer_that_makes_a_model_has_no_teacher(load):
    models = {
        "net": {"network": "plain", "train": {"epochs": 1}},
        "moved": {"transfer": {"model": "net", "protocol": "p"}},
    }
    with pytest.raises(InvalidFileError, match="so that there is no teacher yet"):
        load(protocol=MOVE, models=models)
