"""The models of the how-to load as they stand there."""

import re
from pathlib import Path

import pytest
import yaml

from jobs.load import load_sweep

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bring-your-network.md"
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)]


@pytest.mark.parametrize("block", BLOCKS[:2], ids=["sources", "checkpoints"])
def test_its_models_load(block, write_sweep, tmp_path, monkeypatch):
    (tmp_path / "my_lab").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("jobs.libraries.missing", lambda package: None)  # installed or not
    page = {"name": "page", "data": {"dataset": "digits"}, "compressions": [0.3], **block}
    l1 = {"l1": {"kind": "criterion", "criterion": "l1"}}
    spec = load_sweep(str(write_sweep({**page, "methods": l1})))
    assert spec.models.keys() == block["models"].keys()


@pytest.fixture
def load(write_sweep, tmp_path, monkeypatch):
    """Loads a sweep with a block's models from a folder with the files that the page names."""
    (tmp_path / "zoo.csv").write_text(re.search(r"```csv\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)[1])
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "adam-lr0.001.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    page = {
        "name": "page",
        "data": {"dataset": "digits"},
        "compressions": [0.3],
        "methods": {"dense": {"kind": "dense"}},
    }
    return lambda block: load_sweep(str(write_sweep({**page, **block}))).models


def test_names_of_files_give_labels(load):
    (name, model), *others = load(BLOCKS[2]).items()
    assert (name, model.labels, others) == ("adam-lr0.001", {"optimiser": "adam", "learning_rate": "0.001"}, [])


def test_a_table_gives_settings_and_labels(load):
    models = load(BLOCKS[3])
    assert {name: model.train.optimizer for name, model in models.items()} == {"a": "sgd", "b": "adam"}
    assert models["a"].labels == {
        "optimizer": "sgd",
        "learning_rate": "0.1",
        "widths": "[16, 32]",
        "batch": "first",
    }


def test_there_are_four_blocks():
    assert len(BLOCKS) == 4
