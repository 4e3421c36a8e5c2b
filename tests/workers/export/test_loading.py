import json
import subprocess
import sys

import pytest
import torch
from exported_folders import write_folder
from own_network import WAYS, Around, Computed, Further, Own

import workers
from jobs.errors import BadInputError
from workers.export.description import CONFIG_FILE, is_export
from workers.export.load_script import load
from workers.inputs import InputSpec
from workers.network import NetworkRecipe


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


@pytest.mark.parametrize("deep", [False, True])
def test_a_network_around_another_one_is_built_with_that(pruned, tmp_path, deep):
    inner = pruned.recipe  # its norm is folded
    recipe = NetworkRecipe(network="own_network:Around", arguments={"outputs": 3}, inputs=inner.inputs, backbone=inner)
    classes = [Around, Own]
    if deep:
        recipe = NetworkRecipe(network="own_network:Further", arguments={}, inputs=inner.inputs, backbone=recipe)
        classes = [Further, *classes]
    torch.manual_seed(1)
    path = "first.body" if deep else "body"
    kept = {f"{path}.0.weight": pruned.state["stem.weight"], f"{path}.0.bias": pruned.state["stem.bias"]}
    norm, last = path.replace("body", "norm"), path.replace("body", "last.weight")
    state = recipe.construct().state_dict()
    state |= kept | {name: each[:5] for name, each in state.items() if name.startswith(norm) and each.ndim}
    state[last] = state[last][:, :5]
    module = write_folder(tmp_path, recipe, state)
    images = torch.rand(2, 1, 6, 6)
    assert torch.equal(workers.load(tmp_path)(images), module(images))
    assert torch.equal(load(tmp_path, *classes)(images), module(images))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("way", WAYS)
def test_weights_that_the_class_computes_in_every_pass_are_plain_ones(tmp_path, way):
    recipe = NetworkRecipe(network="own_network:Computed", arguments={"way": way}, inputs=InputSpec.of_shape((1, 6, 6)))
    torch.manual_seed(0)
    state = recipe.construct().state_dict()
    state |= {"first.weight": state["first.weight"][:4], "first.bias": state["first.bias"][:4]}
    state["last.weight"] = state["last.weight"][:, :4]
    module = write_folder(tmp_path, recipe, state)
    images = torch.rand(2, 1, 6, 6)
    for loaded in (workers.load(tmp_path), load(tmp_path, Computed), load(tmp_path, Computed(way))):
        assert loaded.state_dict().keys() == state.keys()
        assert torch.equal(loaded(images), module(images))


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
