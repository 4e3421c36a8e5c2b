"""Many models in the place of `models`: named by files, or by the rows of a table."""

import pytest
from stored_sweeps import ENVIRONMENT

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.locations import given_locations
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep

TINY = {"network": "resnet", "arguments": {"in_channels": 1}}


@pytest.fixture
def load(tiny_sweep, write_sweep, tmp_path, monkeypatch):
    """Loads the sweep with these models, from the folder that holds their files."""
    monkeypatch.chdir(tmp_path)

    def load(models: dict, *overrides: str):
        return load_sweep(write_sweep({**tiny_sweep, "models": models}), overrides)

    return load


def faults_of(load, models: dict) -> str:
    with pytest.raises(InvalidFileError) as caught:
        load(models)
    return str(caught.value)


@pytest.fixture
def checkpoints(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("sgd-lr0.1", "adam-lr0.001", "adam-lr0.01"):
        (folder / f"{name}.safetensors").touch()
    return folder


def test_every_file_is_a_model_with_labels_from_its_name(load, checkpoints):
    spec = load({**TINY, "glob": "checkpoints/*.safetensors", "label": "{optimiser}-lr{rate}"})
    assert list(spec.models) == ["adam-lr0.001", "adam-lr0.01", "sgd-lr0.1"]
    assert spec.models["sgd-lr0.1"].labels == {"optimiser": "sgd", "rate": "0.1"}
    assert spec.models["sgd-lr0.1"].weights == str(checkpoints / "sgd-lr0.1.safetensors")
    assert {model.network for model in spec.models.values()} == {"resnet"}


def test_without_a_label_files_are_models_alone(load, checkpoints):
    spec = load({**TINY, "glob": "checkpoints/adam*"})
    assert [model.labels for model in spec.models.values()] == [{}, {}]


def test_overrides_change_them_all_before_they_are_named(load, checkpoints):
    assert list(load({**TINY, "glob": "nothing"}, "models.glob=checkpoints/sgd*").models) == ["sgd-lr0.1"]


def test_every_row_of_a_table_is_a_model_whose_columns_are_settings_or_labels(load, tmp_path):
    (tmp_path / "zoo.csv").write_text(
        'name,train.learning_rate,arguments.widths,batch\none,1e-2,"[8, 12]",a\ntwo,0.1,"[16, 24]",\n'
    )
    spec = load({**TINY, "table": "zoo.csv", "train": {"epochs": 3}})
    one, two = spec.models["one"], spec.models["two"]
    assert (one.train.epochs, one.train.learning_rate, two.train.learning_rate) == (3, 0.01, 0.1)
    assert one.arguments == {"in_channels": 1, "widths": [8, 12]}
    assert one.labels == {"learning_rate": "1e-2", "widths": "[8, 12]", "batch": "a"}
    assert "batch" not in two.labels


def test_rows_without_names_are_numbered_and_weights_are_a_column(load, tmp_path):
    (tmp_path / "zoo.csv").write_text("weights,optimiser\na.pt,sgd\nb.pt,adam\n")
    spec = load({**TINY, "table": "zoo.csv"})
    assert {name: model.weights for name, model in spec.models.items()} == {
        "zoo-1": str(tmp_path / "a.pt"),
        "zoo-2": str(tmp_path / "b.pt"),
    }
    assert spec.models["zoo-2"].labels == {"optimiser": "adam"}


def test_models_may_be_called_like_the_keys(load):
    spec = load({"table": {**TINY, "train": {"epochs": 1}}, "glob": {**TINY, "train": {"epochs": 1}}})
    assert set(spec.models) == {"table", "glob"}


def test_one_model_may_have_labels_that_are_numbers(load):
    spec = load({"a": {**TINY, "train": {"epochs": 1}, "labels": {"width": 16, "rate": 0.1}}})
    assert spec.models["a"].labels == {"width": "16", "rate": "0.1"}


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({"glob": "no/*.pt"}, "no file is like no/*.pt"),
        ({"glob": "s3://bucket/*.pt"}, "is a URI"),
        ({"glob": "checkpoints/*", "table": "zoo.csv"}, "both `glob` and `table`"),
        ({"glob": "checkpoints/*", "label": "{a}_{b}"}, "is not named like {a}_{b}"),
        ({"glob": "checkpoints/*", "label": "{opt}-lr{opt}"}, "models.label: names `opt` twice"),
        ({"glob": "checkpoints/*", "label": "{opt}{lr}"}, "models.label: has nothing between {opt} and {lr}"),
        ({"glob": "checkpoints/*", "netwrk": "resnet"}, "models.netwrk: unknown key; did you mean"),
        ({"table": "none.csv"}, "models.table: cannot be read"),
        ({"table": "empty.csv"}, "has no row below its head"),
        ({"table": "short.csv"}, "short.csv, row 2: has another number of cells"),
        ({"table": "torn.csv"}, "torn.csv, row 1: arguments.widths cannot be read"),
        ({"table": "twice.csv"}, "two are called 'x'"),
        ({"table": "twice.csv", "label": "{a}"}, "`label` reads names of files"),
        ({"table": "columns.csv"}, "two columns are called 'a'"),
        ({"table": "labels.csv"}, "'learning_rate' and 'train.learning_rate' are both the label learning_rate"),
        ({"table": "misspelt.csv"}, "column 'weight': did you mean 'weights'?"),
        ({"table": "semicolons.csv"}, "separate the columns by commas"),
        ({"table": 5}, "models.table: 5 is not valid; give text"),
        ({"label": "{a}"}, "models: names no files; give `glob`, or a `table`"),
        ({"table": "wrong.csv"}, "models.wrong-1.train.epochs"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(load, checkpoints, tmp_path, models, words):
    for name, text in {
        "empty": "weights\n",
        "short": "weights,a\nw.pt,1\nv.pt\n",
        "torn": 'weights,arguments.widths\nw.pt,"[8, "\n',
        "twice": "name,weights\nx,a.pt\nx,b.pt\n",
        "wrong": "train.epochs\nmany\n",
        "columns": "weights,a,a\nw.pt,1,2\n",
        "labels": "learning_rate,train.learning_rate\n1,0.1\n",
        "misspelt": "weight\nw.pt\n",
        "semicolons": "weights;a\nw.pt;1\n",
    }.items():
        (tmp_path / f"{name}.csv").write_text(text)
    assert words in faults_of(load, {**TINY, **models})


def test_the_table_and_every_checkpoint_are_files_that_a_job_needs(tiny_sweep, write_sweep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zoo.csv").write_text("weights\na.pt\n")
    sweep = write_sweep({**tiny_sweep, "models": {**TINY, "table": "zoo.csv"}})
    found = given_locations(sweep)
    assert {name: found[name] for name in found if name != "storage"} == {
        "models.table": "zoo.csv",
        "models.zoo-1.weights": "a.pt",
    }


def test_all_share_one_analysis_and_curves_have_their_labels(load, tmp_path):
    (tmp_path / "zoo.csv").write_text("train.learning_rate\n0.1\n0.2\n0.3\n")
    plan = plan_sweep(load({**TINY, "table": "zoo.csv", "train": {"epochs": 1}}), ENVIRONMENT)
    assert len([task for task in plan.tasks.values() if task.stage is StageKind.ANALYSE]) == 1
    assert {curve.labels["learning_rate"] for curve in plan.curves} == {"0.1", "0.2", "0.3"}
