import pytest
from pydantic import ValidationError

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.spec.models import ModelSpec
from jobs.weights import CheckpointReading

OWN = "jobs.errors:nearest"  # any callable; it is located, not called


def model(**fields):
    return ModelSpec.model_validate(fields)


def test_words_stay_as_they_are_and_files_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert model(network="torchvision:resnet18", weights="pretrained").weights == "pretrained"
    assert model(network=OWN, weights="own").weights == "own"
    assert model(network=OWN, weights="w.pt").weights == str(tmp_path / "w.pt")


def test_a_layout_that_is_not_said_is_not_part_of_any_key():
    assert model(network=OWN, weights="w.pt").reading is None
    assert model(network=OWN, weights="w.pt", weights_key="ema").reading == CheckpointReading(key="ema")


def test_weights_and_training_go_together():
    assert model(network=OWN, weights="w.pt", train={"epochs": 1}).train.epochs == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"network": "timm:resnet50", "weights": "pretrained:a1_in1k"}, "network: timm:resnet50.a1_in1k"),
        ({"network": "transformers:vit", "weights": "pretrained"}, "name a repository of the hub"),
        (
            {"network": OWN, "weights": "own", "strip_prefix": "a."},
            "has strip_prefix, but no `weights` that are a file",
        ),
        ({"network": OWN, "weights": "own", "replace_head": True}, "no `weights` whose head could be replaced"),
    ],
)
def test_what_does_not_go_together_is_refused(monkeypatch, fields, said):
    monkeypatch.setattr("jobs.libraries.missing", lambda package: None)
    with pytest.raises(ValidationError, match=said):
        model(**fields)


@pytest.mark.parametrize(
    "method",
    [
        {"kind": "integral", "train": {"epochs": 1, "start": "scratch"}},
        {"kind": "criterion", "criterion": "l1", "sparsify": {"kind": "slimming", "train": {"epochs": 1}}},
        {"kind": "criterion", "criterion": "l1", "protocols": ["scratch"]},
    ],
)
def test_a_callable_that_loads_its_weights_cannot_start_from_random_ones(tiny_sweep, write_sweep, method):
    tiny_sweep["models"] = {"net": {"network": OWN, "weights": "own"}}
    tiny_sweep["protocols"] = {"scratch": {"kind": "scratch", "train": {"epochs": 1}}}
    tiny_sweep["methods"] = {"m": method}
    with pytest.raises(InvalidFileError, match="gives no random weights to start from"):
        load_sweep(write_sweep(tiny_sweep))


def test_inputs_by_name_cannot_be_written_as_the_graphs_that_are_asked_for(tiny_sweep, write_sweep):
    net = {**tiny_sweep["models"]["net"], "inputs": {"image": {"shape": [1, 8, 8]}}}
    path = write_sweep({**tiny_sweep, "models": {"net": net}})
    assert load_sweep(path, ["measure.latency={batch_size: 1}"])
    for asked in ("measure.quantize=[int8]", "measure.latency={batch_size: 1, runtime: [eager, onnxruntime]}"):
        with pytest.raises(InvalidFileError, match="model net: it takes its inputs by name"):
            load_sweep(path, [asked])
