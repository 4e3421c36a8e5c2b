"""The code of the how-to runs as it stands there."""

import re
import sys
from pathlib import Path

import pytest
import torch
import yaml

from orchestrator.commands.reporting import report
from orchestrator.commands.running import run

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "your-own-protocol.md"


@pytest.fixture
def my_lab(monkeypatch, tmp_path, database):
    """The page's code as the package `my_lab`, in a folder of its own."""
    folder = tmp_path / "code" / "my_lab"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "protocols.py").write_text(re.search(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL).group(1))
    monkeypatch.syspath_prepend(folder.parent)
    yield
    for name in ("my_lab", "my_lab.protocols"):
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_its_sweep_runs_and_its_protocol_brings_accuracy_back(my_lab, tiny_sweep, write_sweep, tmp_path):
    torch.set_num_threads(1)
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    tiny_sweep["models"]["net"]["train"] = {"epochs": 4, "batch_size": 32, "learning_rate": 0.05}
    path = write_sweep({**tiny_sweep, **yaml.safe_load(text), "compressions": [0.4]})
    assert run(str(path), [], backend="inline") == 0
    report(str(path), storage="", out=str(tmp_path / "report"))
    head, *rows = ((tmp_path / "report" / "points.csv").read_text()).splitlines()
    points = {row.split(",")[4]: dict(zip(head.split(","), row.split(","), strict=True)) for row in rows}
    assert float(points["distilled"]["accuracy"]) > float(points["none"]["accuracy"])
    assert (float(points["distilled"]["training_epochs"]), float(points["none"]["training_epochs"])) == (2, 0)
