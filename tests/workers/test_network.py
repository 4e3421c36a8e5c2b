import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from jobs.artifact import Manifest
from jobs.errors import BadInputError
from orchestrator.store import open_store
from workers.artifacts import MASKS_FILE, RECIPE_FILE, WEIGHTS_FILE, ArtifactReader
from workers.channels import find_groups, fold_model, select
from workers.inputs import InputSpec
from workers.models import build
from workers.network import NetworkRecipe, StoredNetwork, network_files, rebuild, sizes, start_anew

ROOT = Path(__file__).parents[2]
KEY, OTHER_KEY = "ab" + "0" * 30, "cd" + "0" * 30
SHAPE = (1, 8, 8)

PROGRAM = """
import json, sys, torch
from orchestrator.store import open_store
from workers.artifacts import ArtifactReader
from workers.network import StoredNetwork

torch.set_num_threads(1)
for key in sys.argv[2:]:
    network = StoredNetwork(ArtifactReader(open_store(sys.argv[1])), key)
    module = network.module()
    with torch.inference_mode():
        output = module(torch.linspace(0, 1, 128).reshape(2, *network.recipe.inputs.one_shape("test")))
    tensors = {"output": output, **module.state_dict()}
    print(json.dumps({name: tensor.numpy().tobytes().hex() for name, tensor in tensors.items()}))
"""


def recipe_of(network, folded=(), **arguments):
    arguments["in_channels"] = 1
    return NetworkRecipe(network=network, arguments=arguments, inputs=InputSpec.of_shape(SHAPE), folded=tuple(folded))


def trained(network, **arguments):
    """A network whose norms have statistics, as after training."""
    torch.manual_seed(0)
    module = build(network, {**arguments, "in_channels": 1})
    for _ in range(2):
        module(torch.rand(8, *SHAPE))
    return module.eval()


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def kept(tmp_path):
    """Commits a network and gives it back as it is read."""

    def keep(recipe, state, key=KEY):
        store = open_store(tmp_path / "store")
        store.commit(Manifest(key=key, stage="train", identity={}, measurements={}), network_files(recipe, state))
        return StoredNetwork(ArtifactReader(store), key)

    return keep


def pruned_and_folded():
    """A residual network, batch norms folded, of every group the even channels only."""
    module = trained("resnet", widths=[6, 8])
    pairs = fold_model(module, SHAPE)
    channel_map = find_groups(module, SHAPE)
    halves = {name: range(0, width, 2) for name, width in channel_map.widths().items()}
    return recipe_of("resnet", pairs, widths=[6, 8]), select(module.state_dict(), channel_map, halves)


def test_recipe_and_tensors_come_back_as_they_were(kept):
    recipe, state = pruned_and_folded()
    network = kept(recipe, state)
    assert network.recipe == recipe
    found = network.state
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in state.items())


def test_there_is_no_pickle_in_it():
    files = network_files(*pruned_and_folded())
    assert files.keys() == {RECIPE_FILE, WEIGHTS_FILE}
    assert json.loads(files[RECIPE_FILE])["network"] == "resnet"
    length = int.from_bytes(files[WEIGHTS_FILE][:8], "little")  # safetensors: a JSON header, then numbers
    assert "conv1.weight" in json.loads(files[WEIGHTS_FILE][8 : 8 + length])


def test_equal_networks_have_equal_bytes():
    assert network_files(*pruned_and_folded()) == network_files(*pruned_and_folded())


def test_with_weights_that_were_removed_and_are_not_zero_it_is_not_written():
    state = {"a": torch.tensor([1.0, 0.0, 3.0])}
    files = network_files(recipe_of("plain"), state, {"a": torch.tensor([True, False, True])})
    assert files.keys() == {RECIPE_FILE, WEIGHTS_FILE, MASKS_FILE}
    with pytest.raises(ValueError, match="a: 2 of the weights that were removed are not zero"):
        network_files(recipe_of("plain"), state, {"a": torch.tensor([False, True, False])})


def test_views_and_shared_memory_are_written_whole():
    weight = torch.arange(12.0)
    recipe = recipe_of("plain")
    files = network_files(recipe, {"a": weight[::2], "b": weight.view(3, 4).T, "c": weight, "d": weight})
    copies = {"a": weight[::2].clone(), "b": weight.view(3, 4).T.contiguous(), "c": weight.clone(), "d": weight.clone()}
    assert files == network_files(recipe, copies)


def test_the_network_is_rebuilt_in_evaluation_mode_with_the_sizes_that_pruning_left():
    recipe, state = pruned_and_folded()
    module = rebuild(recipe, state)
    assert not any(each.training for each in module.modules())
    assert (module.conv1.out_channels, module.linear.in_features) == (3, 4)
    assert not any(isinstance(each, nn.BatchNorm2d) for each in module.modules())
    assert module(torch.rand(2, *SHAPE)).shape == (2, 10)


def test_rebuilding_draws_nothing_from_the_global_generator():
    recipe, state = pruned_and_folded()
    before = torch.get_rng_state()
    rebuild(recipe, state)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_that_cannot_be_built_is_bad_input():
    with pytest.raises(BadInputError, match="did you mean 'resnet'"):
        rebuild(recipe_of("resnett"), {})


def test_sizes_by_hand():
    # 8 x 8 images: 3 filters of 3 x 3 with their norm, and 10 x 3 + 10 for the linear layer.
    module = trained("plain", widths=[3])
    assert sizes(module, recipe_of("plain", widths=[3])) == {
        "params": 27 + 2 * 3 + 40,
        "macs": 64 * 27 + 30,
        "size_bytes": 4 * (27 + 4 * 3 + 40),  # running mean and variance too
    }


def test_a_fresh_process_rebuilds_it_bit_for_bit(kept, tmp_path, one_thread):
    dense = recipe_of("plain", widths=[4, 6]), trained("plain", widths=[4, 6]).state_dict()
    expected = []
    for key, (recipe, state) in {KEY: dense, OTHER_KEY: pruned_and_folded()}.items():
        module = kept(recipe, state, key).module()
        with torch.inference_mode():
            output = module(torch.linspace(0, 1, 128).reshape(2, *SHAPE))
        tensors = {"output": output, **state}
        expected.append({name: tensor.contiguous().numpy().tobytes().hex() for name, tensor in tensors.items()})
    fresh = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "store"), KEY, OTHER_KEY],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert fresh.returncode == 0, fresh.stderr
    assert [json.loads(line) for line in fresh.stdout.splitlines()] == expected


def test_a_folded_network_starts_anew_with_its_norms_as_wide_as_their_layers():
    module = trained("plain", widths=[6])
    channel_map = find_groups(module, SHAPE)
    cut = select(module.state_dict(), channel_map, {"features.0": [1, 4]})
    small = rebuild(recipe_of("plain", widths=[6]), cut)
    recipe = recipe_of("plain", folded=fold_model(small, SHAPE), widths=[6])
    assert recipe.folded
    torch.manual_seed(3)
    fresh, plain = start_anew(recipe, small.state_dict())
    torch.manual_seed(3)
    expected = build("plain", {"widths": [2], "in_channels": 1}).state_dict()
    assert plain.folded == ()
    assert fresh.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in fresh.state_dict().items())


def test_a_fresh_network_selects_the_same_channels():
    arguments = {"depth": 11, "channel_selection": True}
    module = trained("preresnet", **arguments)
    chosen = {"stages.1.0.select.index": [1, 40, 63], "stages.1.0.conv1": [0, 5]}
    cut = select(module.state_dict(), find_groups(module, SHAPE), chosen)
    small = rebuild(recipe_of("preresnet", **arguments), cut)
    fresh, _ = start_anew(recipe_of("preresnet", **arguments), small.state_dict())
    block = fresh.stages[1][0]
    assert block.select.index.tolist() == [1, 40, 63]
    assert block.conv1.weight.shape == (2, 3, 1, 1)
    assert not torch.equal(block.conv1.weight, small.stages[1][0].conv1.weight)


def test_wider_than_it_is_built_a_network_cannot_start():
    with pytest.raises(BadInputError, match="network 'plain': cannot be started anew at its pruned widths"):
        start_anew(recipe_of("plain", widths=[2]), build("plain", {"widths": [3], "in_channels": 1}).state_dict())
