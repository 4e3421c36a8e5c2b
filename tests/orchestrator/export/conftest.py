"""A small sweep that was run: a network of the user's own, by the norm of its filters and without single weights."""

import shutil
import sys
from pathlib import Path

import own_network
import pytest
import torch
import yaml

from orchestrator.cli import main
from orchestrator.commands.running import run
from orchestrator.store import ArtifactStore, open_store

SWEEP = {
    "name": "small",
    "controls": False,
    "seeds": [0, 1],
    "data": {"dataset": "digits", "normalize": {"mean": [0.5], "std": [0.25]}},
    "models": {
        "net": {
            "network": "own_network:Own",
            "arguments": {"width": 8, "classes": 10, "layer_norm": False},
            "licence": "CC-BY-4.0",
            "train": {"epochs": 1},
        }
    },
    "methods": {
        "dense": {"kind": "dense"},
        "l1": {"kind": "criterion", "criterion": "l1", "compressions": [0.3]},
        "zeros": {"kind": "unstructured", "compressions": [0.5]},
    },
    "measure": {"reload": False},
}


@pytest.fixture(scope="session")
def computed(tmp_path_factory, empty_database) -> Path:
    """The folder of the sweep's store."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("small")
    (folder / "mlflow.db").write_bytes(empty_database)
    ground = {"storage": str(folder / "store"), "tracking": f"sqlite:///{folder}/mlflow.db"}
    (folder / "sweep.yaml").write_text(yaml.safe_dump({**ground, **SWEEP}))
    assert run(str(folder / "sweep.yaml"), [], backend="inline") == 0
    return folder


@pytest.fixture
def store(computed, tmp_path) -> ArtifactStore:
    """A copy of the store, to be spoilt."""
    return open_store(shutil.copytree(computed / "store", tmp_path / "store"))


@pytest.fixture
def orchard(capsys, tmp_path, monkeypatch):
    """Runs the command in a folder of its own; gives exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def command(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return command


@pytest.fixture
def changed_class(monkeypatch) -> None:
    """The user has edited the class since the sweep ran: a kernel of another size, a layer more, a layer less."""

    class Changed(own_network.Own):
        def __init__(self, width: int, classes: int, layer_norm: bool) -> None:
            super().__init__(width, classes, layer_norm)
            self.point = torch.nn.Conv2d(width, 2 * width, 3)
            self.more = torch.nn.Linear(2, 2)
            del self.depthwise

    monkeypatch.setattr(own_network, "Own", Changed)
