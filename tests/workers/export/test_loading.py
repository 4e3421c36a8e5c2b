import json
import subprocess
import sys

import pytest
import torch

import workers
from jobs.errors import BadInputError
from workers.export.description import CONFIG_FILE, is_export


def test_the_network_of_a_folder_is_the_exported_one(pruned):
    state = torch.random.get_rng_state()
    model = workers.load(pruned.folder)
    assert torch.equal(torch.random.get_rng_state(), state)  # building draws nothing from the caller's generator
    assert not model.training
    assert {name: tuple(each.shape) for name, each in model.state_dict().items()} == {
        name: tuple(each.shape) for name, each in pruned.state.items()
    }
    with torch.inference_mode():
        assert torch.equal(model(torch.rand(3, 1, 6, 6, generator=torch.Generator().manual_seed(1))), pruned.outputs)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read"),
        ("not JSON", "cannot be read"),
        ("[1]", "its format is None"),
        (json.dumps({"format": "orchard network 9"}), "its format is 'orchard network 9'; 'orchard network 1' is read"),
    ],
)
def test_another_folder_is_refused(tmp_path, content, problem):
    if content is not None:
        (tmp_path / CONFIG_FILE).write_text(content)
    assert not is_export(tmp_path)
    with pytest.raises(BadInputError, match=problem):
        workers.load(tmp_path)


def test_a_network_that_is_not_here_is_named(pruned, tmp_path):
    config = json.loads((pruned.folder / CONFIG_FILE).read_text())
    (tmp_path / CONFIG_FILE).write_text(json.dumps({**config, "network": "no_such_lab:Own"}))
    (tmp_path / "model.safetensors").write_bytes((pruned.folder / "model.safetensors").read_bytes())
    with pytest.raises(BadInputError, match="no module named 'no_such_lab' here"):
        workers.load(tmp_path)


def test_weights_that_are_gone_are_named(pruned, tmp_path):
    (tmp_path / CONFIG_FILE).write_text((pruned.folder / CONFIG_FILE).read_text())
    with pytest.raises(BadInputError, match=r"model\.safetensors"):
        workers.load(tmp_path)


def test_importing_the_packages_imports_no_torch():
    code = "import sys, workers, orchestrator; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
