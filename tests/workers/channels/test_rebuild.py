import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from workers.channels import ChannelMap, find_groups, fold_model, load_resized, restrict, select

SHAPE = (3, 8, 8)

SCRIPT = """
import importlib.util, json, sys
import torch
from safetensors.torch import load_file, save_file
from workers.channels import apply_folding_structure, load_resized
folder, networks, name = sys.argv[1:]
spec = importlib.util.spec_from_file_location("networks", networks)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
torch.set_num_threads(1)
with torch.device("meta"):
    model = getattr(module, name)()
apply_folding_structure(model, json.load(open(f"{folder}/pairs.json")))
load_resized(model, load_file(f"{folder}/state.safetensors"))
data = load_file(f"{folder}/data.safetensors")
save_file({"y": model.eval()(data["x"]), **model.state_dict()}, f"{folder}/answer.safetensors")
"""


def test_a_folded_pruned_network_reloads_in_a_fresh_process_bit_for_bit(separable, image, tmp_path):
    root = Path(__file__).parents[3]
    pairs = fold_model(separable, SHAPE)
    channel_map = find_groups(separable, SHAPE)
    index = {group.name: range(group.width - 1) for group in channel_map.groups}
    load_resized(separable, select(separable.state_dict(), channel_map, index))
    save_file(separable.state_dict(), tmp_path / "state.safetensors")
    save_file({"x": image}, tmp_path / "data.safetensors")
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path), str(Path(__file__).with_name("conftest.py")), "Separable"]
    subprocess.run(arguments, check=True, cwd=root)
    answer = load_file(tmp_path / "answer.safetensors")
    assert torch.equal(answer.pop("y"), separable(image))
    assert answer.keys() == separable.state_dict().keys()
    assert all(torch.equal(answer[name], tensor) for name, tensor in separable.state_dict().items())


def test_attributes_follow(separable):
    channel_map = find_groups(separable, SHAPE)
    load_resized(separable, select(separable.state_dict(), channel_map, {"point": [0, 2, 4], "stem.0": [1]}))
    depth, twice = separable.depth[0], separable.twice[0]
    assert (depth.in_channels, depth.out_channels, depth.groups) == (1, 1, 1)
    assert (twice.in_channels, twice.out_channels, twice.groups) == (3, 6, 3)
    assert separable.twice[1].num_features == 6
    assert (separable.last.in_channels, separable.point.out_channels) == (6, 3)


def test_a_transposed_convolution_follows(upscaling):
    model = upscaling
    channel_map = find_groups(model, SHAPE)
    load_resized(model, select(model.state_dict(), channel_map, {"up": [0], "more": [3, 4]}))
    assert (model.more.in_channels, model.more.out_channels) == (1, 2)


def test_parameters_keep_requires_grad_and_the_state_is_not_shared(plain):
    plain.conv1.weight.requires_grad_(False)
    state = select(plain.state_dict(), find_groups(plain, SHAPE), {"conv1": [0, 1]})
    load_resized(plain, state)
    assert not plain.conv1.weight.requires_grad
    assert plain.conv1.bias.requires_grad
    plain.fc2.bias.data.zero_()
    assert state["fc2.bias"].abs().sum() > 0


def test_shared_parameters_stay_shared():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    load_resized(model, {name: tensor.clone() for name, tensor in model.state_dict().items()})
    assert model[1].weight is model[0].weight


def test_names_that_do_not_fit_are_all_listed_and_nothing_changes(plain):
    state = dict(plain.state_dict())
    del state["fc1.bias"], state["bn1.weight"]
    state["head.weight"] = state.pop("conv1.weight")[:2]
    before = plain.conv2.weight
    with pytest.raises(
        ValueError, match=r"missing \['bn1.weight', 'conv1.weight', 'fc1.bias'\], unexpected \['head.weight'\]"
    ):
        load_resized(plain, state)
    assert plain.conv2.weight is before


def test_a_map_restricted_in_another_process_counts_the_same(plain):
    channel_map = find_groups(plain, SHAPE)
    again = ChannelMap.from_json(json.loads(json.dumps(channel_map.to_json())))
    assert restrict(again, {"conv1": 2}) == restrict(channel_map, {"conv1": 2})
