import pytest

from jobs.errors import BadInputError, InvalidFileError
from jobs.load import load_sweep
from orchestrator.commands.beginning import Beginning, begin
from orchestrator.commands.planning import plan_for

DIGITS = {"network": "resnet", "weights": "", "dataset": "digits", "root": "", "classes": None, "storage": "~/store"}


def begun(folder, **changes):
    begin(str(folder / "mine.yaml"), Beginning(**{**DIGITS, **changes}))
    return load_sweep(folder / "mine.yaml")


def test_what_it_writes_plans(tmp_path):
    spec = begun(tmp_path)
    plan, _ = plan_for(spec, "cpu")
    assert (spec.name, spec.models["net"].arguments) == ("mine", {"in_channels": 1})  # digits are grey
    assert {"dense", "random", "l1", "taylor", "integral", "integral-tuned"} == {each.method for each in plan.curves}


def test_its_methods_differ_in_nothing_but_what_they_are(tmp_path):
    spec = begun(tmp_path)
    compared = [name for name, method in spec.methods.items() if method.kind != "dense"]
    assert {spec.allocation_of(name).kind for name in compared} == {"uniform"}
    assert {spec.methods[name].protocols for name in compared} == {("none", "fine-tune")}


def test_its_values_are_those_given(tmp_path):
    given = {"network": "torchvision:resnet18", "weights": "/w/net: a.pt", "dataset": "imagefolder", "root": "/data/x"}
    spec = begun(tmp_path, **given, classes=7, storage="s3://bucket/prefix")
    model = spec.models["net"]
    assert (model.network, model.weights, model.arguments) == (given["network"], "/w/net: a.pt", {"num_classes": 7})
    assert (spec.data.dataset, spec.data.root, spec.storage) == ("imagefolder", "/data/x", "s3://bucket/prefix")


def test_a_file_is_not_written_over(tmp_path):
    (tmp_path / "mine.yaml").write_text("precious")
    with pytest.raises(BadInputError, match=r"mine\.yaml exists"):
        begun(tmp_path)
    assert (tmp_path / "mine.yaml").read_text() == "precious"


def test_what_cannot_be_used_is_said_and_not_written(tmp_path):
    with pytest.raises(InvalidFileError, match="did you mean 'resnet'"):
        begun(tmp_path, network="resnett")
    assert not (tmp_path / "mine.yaml").exists()
