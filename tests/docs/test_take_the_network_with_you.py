"""The scripts of the how-to run as they stand there, most of them where there is no Orchard."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from without_orchard import run_without_orchard

from orchestrator.cli import main
from orchestrator.commands.running import run

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "take-the-network-with-you.md"
SCRIPTS = dict(re.findall(r"```python\n# ([\w/]+\.py)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(tmp_path_factory, empty_database) -> Path:
    """The folder in which the page's sweep was run and its command given."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("digits")
    (folder / "my_lab").mkdir()
    (folder / "my_lab" / "__init__.py").touch()
    (folder / "my_lab" / "networks.py").write_text(SCRIPTS["my_lab/networks.py"])
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    (folder / "sweep.yaml").write_text(text)
    (folder / ".orchard").mkdir()
    (folder / ".orchard" / "mlflow.db").write_bytes(empty_database)
    (command,) = re.findall(r"```sh\norchard (.*?)\n```", PAGE.read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [str(folder), *sys.path])
        assert yaml.safe_load(text)["name"] in command
        assert run("sweep.yaml", ["measure.reload=false"], backend="inline") == 0
        with pytest.raises(SystemExit) as stopped:
            main(shlex.split(command))
        assert stopped.value.code == 0
    for name in ("my_lab", "my_lab.networks"):
        sys.modules.pop(name, None)
    return folder


@pytest.mark.parametrize("name", ["run_onnx.py", "run_program.py", "run_class.py"])
def test_a_script_without_orchard_gives_a_class_for_every_image(exported, name):
    printed = run_without_orchard(SCRIPTS[name], exported)
    assert len(re.findall(r"\b\d\b", printed)) == 5


def test_the_script_for_onnx_runtime_has_ten_lines_at_most():
    assert len(SCRIPTS["run_onnx.py"].splitlines()) <= 10


def test_with_orchard_the_exported_network_is_the_stored_one(exported):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPTS["run_orchard.py"]], cwd=exported, capture_output=True, text=True, check=True
    )
    assert len(re.findall(r"\b\d\b", done.stdout)) == 5


def test_fine_tuning_in_a_plain_script_brings_accuracy_back(exported):
    before, after = map(float, run_without_orchard(SCRIPTS["fine_tune.py"], exported).split())
    assert after > before + 0.02
    assert (exported / "tuned.safetensors").exists()
