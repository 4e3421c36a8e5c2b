from pathlib import Path

import pytest
import yaml

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.shipped import shipped_sweeps, sweep_file

SWEEPS = Path(__file__).parents[2] / "jobs" / "sweeps"


def test_every_sweep_that_is_shipped_says_what_it_is():
    summaries = shipped_sweeps()
    assert "handwritten digits" in summaries["quickstart"]
    assert all(len(text) > 40 and "orchard run" not in text for text in summaries.values())


def test_they_are_found_by_name_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_sweep("quickstart").name == "quickstart"
    assert load_sweep("inn_table2", ["@reduced/inn_table2", "data.root=/data"]).seeds == (0,)


def test_a_file_goes_before_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").write_text("name: mine")
    assert sweep_file("quickstart").read_text() == "name: mine"


@pytest.mark.parametrize(
    ("given", "said"),
    [("quikstart", "did you mean 'quickstart'"), ("my/sweep.yaml", r"cannot be read .*; give a YAML file")],
)
def test_where_there_is_neither_both_are_named(given, said):
    with pytest.raises(InvalidFileError, match=said):
        load_sweep(given)


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_sweeps_that_we_ship_load(path):
    document = yaml.safe_load(path.read_text())
    missing = [] if document["data"]["dataset"] == "digits" else ["data.root=/data"]
    given = {"train", "transfer"}
    missing += [f"models.{name}.weights=/w" for name, model in document["models"].items() if not given & model.keys()]
    protocols = document.get("protocols", {})
    missing += [f"protocols.{name}.data.root=/d" for name, each in protocols.items() if each["kind"] == "transfer"]
    assert load_sweep(path, missing).name == path.stem


@pytest.mark.parametrize("path", sorted((SWEEPS / "reduced").glob("*.yaml")), ids=lambda path: path.name)
def test_the_reduced_forms_that_we_ship_load(path):
    document = yaml.safe_load((SWEEPS / path.name).read_text())
    transfers = [name for name, each in document.get("protocols", {}).items() if each["kind"] == "transfer"]
    roots = ["data.root=/data", *(f"protocols.{name}.data.root=/data" for name in transfers)]
    spec = load_sweep(SWEEPS / path.name, [f"@{path}", *roots])
    # What two cores have time for.
    longest = {"cifar10": 3, "voc-segmentation": 16, "sr-folders": 15, "voc-detection": 10}
    for model in spec.models:
        train = spec.training_of(model)
        assert train is None or train.epochs <= longest[spec.data_of(model).dataset]


@pytest.mark.parametrize("path", sorted((SWEEPS / "two_cores").glob("*.yaml")), ids=lambda path: path.name)
def test_the_forms_for_two_cores_begin_with_networks_that_are_given(path):
    spec = load_sweep(SWEEPS / path.name, [f"@{path}", "data.root=/data"])
    assert all(spec.models[model].weights for model in spec.models)
