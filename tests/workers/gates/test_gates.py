import json
from pathlib import Path

import pytest
import torch
import typed_networks
from safetensors.torch import load, save
from token_network import INPUTS, Tokens
from torch import nn

from jobs.errors import BadNetworkError
from workers.artifacts import RECIPE_FILE, WEIGHTS_FILE
from workers.gates import check_export, check_layers, check_reload
from workers.gates import reload as reloading
from workers.inputs import InputSpec
from workers.models import build
from workers.network import NetworkRecipe, network_files


@pytest.fixture
def files():
    arguments = {"widths": [4, 6], "in_channels": 1}
    recipe = NetworkRecipe(network="resnet", arguments=arguments, inputs=InputSpec.of_shape((1, 8, 8)))
    torch.manual_seed(0)
    return network_files(recipe, build("resnet", arguments).state_dict())


def test_a_network_with_channels_everywhere_passes():
    check_layers(nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 3)))


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_an_empty_layer_is_named():
    with pytest.raises(BadNetworkError, match=r"1.weight, 1.bias have no elements"):
        check_layers(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 0)))


@pytest.mark.slow
def test_files_are_enough_for_a_fresh_process(files):
    check_reload(files)
    check_reload(files)  # by the same server


@pytest.mark.slow
def test_a_fresh_process_that_computes_something_else_is_noticed(files, monkeypatch):
    # The last bit of one bias: here the network has it, there it does not.
    monkeypatch.setattr(reloading, "outputs_digest", lambda *contents: "another")
    with pytest.raises(BadNetworkError, match="has other outputs"):
        check_reload(files)


@pytest.mark.slow
def test_a_fresh_process_that_cannot_make_the_network_says_why(files, monkeypatch):
    monkeypatch.setattr(reloading, "outputs_digest", lambda *contents: "any")
    broken = {**files, RECIPE_FILE: json.dumps({**json.loads(files[RECIPE_FILE]), "network": "resnt"}).encode()}
    with pytest.raises(BadNetworkError, match="did you mean 'resnet'"):
        check_reload(broken)


@pytest.mark.slow
def test_a_fresh_process_that_is_killed_may_be_tried_again(files, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setattr(reloading, "outputs_digest", lambda *contents: "any")
    recipe = {**json.loads(files[RECIPE_FILE]), "network": "deadly_network:make", "arguments": {}}
    with pytest.raises(OSError, match="ended with status -9"):
        check_reload({**files, RECIPE_FILE: json.dumps(recipe).encode()})


@pytest.mark.slow
def test_a_server_that_died_is_an_error_that_may_pass_and_is_started_again(files):
    check_reload(files)
    requests, _ = reloading._fresh_processes()
    requests.close()  # it ends when its input does
    with pytest.raises((OSError, ValueError)):
        check_reload(files)
    check_reload(files)


def test_one_bit_of_a_weight_changes_the_digest(files):
    recipe, weights = files[RECIPE_FILE], files[WEIGHTS_FILE]

    state = load(weights)
    state["linear.bias"] = state["linear.bias"].nextafter(torch.tensor(9.0))
    assert reloading.outputs_digest(recipe, weights) == reloading.outputs_digest(recipe, weights)
    assert reloading.outputs_digest(recipe, weights) != reloading.outputs_digest(recipe, save(state))


def files_of(name):
    torch.manual_seed(0)
    recipe = NetworkRecipe(network=f"typed_networks:{name}", arguments={}, inputs=InputSpec.of_shape((1, 8, 8)))
    return network_files(recipe, getattr(typed_networks, name)().state_dict())


@pytest.mark.parametrize("name", typed_networks.TYPED)
def test_networks_run_in_the_types_of_their_layers(name):
    recipe, weights = (files_of(name)[each] for each in (RECIPE_FILE, WEIGHTS_FILE))
    state = load(weights)
    state["linear.bias"] = state["linear.bias"].nextafter(torch.full((10,), 9.0).to(state["linear.bias"]))
    digests = [reloading.outputs_digest(recipe, each) for each in (weights, weights, save(state))]
    assert digests[0] == digests[1]
    assert (digests[1] == digests[2]) == (name == "Doubled")  # whose outputs are rounded


@pytest.mark.slow
@pytest.mark.parametrize("name", typed_networks.TYPED)
def test_a_fresh_process_runs_networks_in_the_types_of_their_layers(name):
    check_reload(files_of(name))


@pytest.mark.slow
def test_a_network_that_does_not_run_is_no_fault_of_ours():
    with pytest.raises(BadNetworkError, match="cannot use the network: RuntimeError: not with these images"):
        check_reload(files_of("Unusable"))


class Forking(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.slow
def test_a_network_that_exports_passes():
    check_export(nn.Sequential(nn.Linear(3, 2), nn.ReLU()).eval(), torch.rand(2, 3))


@pytest.mark.slow
def test_a_network_that_decides_by_its_values_does_not_export():
    with pytest.raises(BadNetworkError, match="cannot be exported"):
        check_export(Forking(), torch.rand(2, 3))


class Exported:
    """What an exporter gives whose graph computes a little less."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def module(self):
        return lambda images: self.model(images) * 0.99


def test_an_exported_graph_that_computes_something_else_is_refused(monkeypatch):
    monkeypatch.setattr(torch.export, "export", lambda model, args, kwargs: Exported(model))
    with pytest.raises(BadNetworkError, match=r"differs by 1\.0e-02 of the largest output"):
        check_export(nn.Linear(3, 2).eval(), torch.rand(2, 3))


def test_a_network_of_names_and_dataclasses_exports():
    check_export(Tokens().eval(), INPUTS.draw(2, torch.Generator().manual_seed(0)))
