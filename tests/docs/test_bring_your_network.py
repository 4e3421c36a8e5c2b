"""The models of the how-to load as they stand there."""

import re
from pathlib import Path

import pytest
import yaml

from jobs.load import load_sweep

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bring-your-network.md"
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)]


@pytest.mark.parametrize("block", BLOCKS, ids=["sources", "checkpoints"])
def test_its_models_load(block, write_sweep, tmp_path, monkeypatch):
    (tmp_path / "my_lab").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("jobs.libraries.missing", lambda package: None)  # installed or not
    page = {"name": "page", "data": {"dataset": "digits"}, "compressions": [0.3], **block}
    l1 = {"l1": {"kind": "criterion", "criterion": "l1"}}
    spec = load_sweep(str(write_sweep({**page, "methods": l1})))
    assert spec.models.keys() == block["models"].keys()


def test_there_are_two_blocks():
    assert len(BLOCKS) == 2
