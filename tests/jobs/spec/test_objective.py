import copy

import pytest

from jobs.defaults import with_defaults
from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.spec.objective import ClassificationObjective, OwnObjective, SuperResolutionObjective

DIGITS = {"dataset": "digits"}
PLAIN = {"network": "plain", "train": {"epochs": 1}}


def document(**changes) -> dict:
    sweep = {"name": "s", "data": DIGITS, "models": {"net": PLAIN}, "methods": {"l1": {"kind": "criterion"}}}
    sweep["methods"]["l1"] |= {"criterion": "l1", "compressions": [0.5]}
    return copy.deepcopy({**sweep, **changes})


@pytest.fixture
def load(write_sweep):
    return lambda **changes: load_sweep(str(write_sweep(document(**changes))))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("clasification", "did you mean 'classification'"),
        ({"kind": "segmentatoin"}, "did you mean 'segmentation'"),
        ({"scale": 4}, "has no kind; say kind: classification, super-resolution"),
        ({"kind": "super-resolution"}, "is missing"),
        ({"kind": "super-resolution", "scale": 5}, "2, 3 or 4"),
        ({"kind": "super-resolution", "scale": 2, "self_assemble": True}, "did you mean 'self_ensemble'"),
        ("segmentation", "has the data set digits, which is for classification"),
        ({"kind": "own", "make": "nowhere"}, "is unknown"),
    ],
)
def test_an_unfit_objective_is_refused_with_its_remedy(load, given, said):
    with pytest.raises(InvalidFileError, match=said):
        load(objective=given)
    with pytest.raises(InvalidFileError, match=said):
        load(models={"net": {**PLAIN, "objective": given}})


def test_a_name_stands_for_its_record(load):
    assert load(objective="classification").objective == load().objective == ClassificationObjective()
    own = load(objective="math:prod").objective
    assert (type(own), own.name, own.settings) == (OwnObjective, "math:prod", {})


def test_a_model_may_have_an_objective_and_data_of_its_own(load):
    other = {**PLAIN, "objective": "math:prod", "data": {**DIGITS, "batch_size": 7}}
    spec = load(models={"net": PLAIN, "other": other})
    assert [spec.objective_of(model).name for model in spec.models] == ["classification", "math:prod"]
    assert [spec.data_of(model).batch_size for model in spec.models] == [256, 7]


def test_data_of_a_model_without_a_data_set_changes_some_of_the_sweeps(load):
    data = {"dataset": "math:prod", "root": "/photos", "arguments": {"scale": 4, "colour": "rgb"}}
    models = {"net": {**PLAIN, "data": {"batch_size": 1, "arguments": {"scale": 3}}}}
    changed = load(data=data, models=models, objective="math:prod").data_of("net")
    assert (changed.dataset, changed.root, changed.batch_size) == ("math:prod", "/photos", 1)
    assert changed.arguments == {"scale": 3, "colour": "rgb"}


def test_the_scale_of_the_data_is_that_of_the_objective(load):
    data = {"dataset": "math:prod", "arguments": {"scale": 3}}
    with pytest.raises(InvalidFileError, match="has the scale 4, its data 3; give both the same"):
        load(objective={"kind": "super-resolution", "scale": 4}, data=data)


def test_an_augmentation_belongs_to_the_objective(load):
    with pytest.raises(InvalidFileError, match="augment: flip-turn is none of the objective classification"):
        load(models={"net": {**PLAIN, "train": {"epochs": 1, "augment": "flip-turn"}}})
    fine_tune = {"kind": "fine-tune", "train": {"augment": "scale-crop-flip"}}
    methods = {"l1": {**document()["methods"]["l1"], "protocols": ["tuned"]}}
    with pytest.raises(InvalidFileError, match="model net, protocol 'tuned': augment: scale-crop-flip is none"):
        load(protocols={"tuned": fine_tune}, methods=methods)


def test_training_has_the_settings_of_its_objective(load):
    enlarging = {"kind": "super-resolution", "scale": 2}
    data = {"dataset": "math:prod"}
    spec = load(objective=enlarging, data=data, protocols={"tuned": {"kind": "fine-tune"}})
    assert isinstance(spec.objective, SuperResolutionObjective)
    train, tuned = spec.models["net"].train, spec.protocols["tuned"].train
    assert (train.optimizer, train.augment, train.epochs) == ("adam", "flip-turn", 1)
    assert (tuned.optimizer, tuned.learning_rate) == ("adam", 2e-5)
    assert load().models["net"].train.optimizer == "sgd"
    own = load(objective="math:prod", protocols={"tuned": {"kind": "fine-tune"}})
    assert own.protocols["tuned"].train.augment == "none"


def test_bicubic_enlargement_is_a_control_of_super_resolution_alone(load):
    enlarging = {"kind": "super-resolution", "scale": 2}
    models = {"net": PLAIN, "large": {**PLAIN, "objective": enlarging, "data": {"dataset": "math:prod"}}}
    spec = load(models=models)
    assert (spec.methods["bicubic"].models, spec.compressions_of("bicubic")) == (("large",), (0.0,))
    with pytest.raises(InvalidFileError, match="bicubic is the control of super-resolution, and model net is for"):
        load(models=models, methods={"bicubic": {"kind": "bicubic"}, **document()["methods"]})


def test_what_is_no_sweep_is_left_to_the_validation():
    for broken in ({}, {"models": 3, "protocols": [], "objective": 5}, {"models": {"net": None}, "methods": {"a": 1}}):
        assert with_defaults(broken).keys() >= broken.keys()


def test_a_detector_that_learns_from_more_than_boxes_is_refused(load):
    with pytest.raises(InvalidFileError, match="'maskrcnn_resnet50_fpn' learns from masks of objects"):
        load(models={"net": {**PLAIN, "network": "torchvision:maskrcnn_resnet50_fpn"}})


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        ({"export": True}, "measure.export asks for"),
        ({"quantize": "int8"}, "measure.quantize asks for"),
        ({"latency": {"runtime": ["eager", "onnxruntime"]}}, "measure.latency.runtime asks for"),
    ],
)
def test_graphs_of_detectors_are_refused(load, measure, said):
    with pytest.raises(InvalidFileError, match=said):
        load(objective="detection", data={"dataset": "math:prod"}, measure=measure)
