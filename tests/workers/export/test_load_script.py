"""The script beside an exported network: it needs torch and safetensors, and the user's own class."""

import ast
import importlib
import json
import shutil
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from own_network import Own
from torch import nn
from without_orchard import run_without_orchard

from workers.channels import find_groups, fold_model, headwise, load_resized, select
from workers.export import load_script
from workers.export.description import ATTENTION_FILE
from workers.export.load_script import load
from workers.network import state_bytes

SOURCE = Path(load_script.__file__).read_text()
IMAGES = "torch.rand(3, 1, 6, 6, generator=torch.Generator().manual_seed(1))"


@pytest.fixture
def copied(pruned, tmp_path) -> Path:
    """The folder, to be spoilt."""
    return Path(shutil.copytree(pruned.folder, tmp_path / "copied"))


def test_it_has_at_most_90_lines():
    assert len(SOURCE.splitlines()) <= 90


def test_it_imports_torch_safetensors_and_what_comes_with_python():
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert imported - set(sys.stdlib_module_names) == {"torch", "safetensors"}


@pytest.mark.slow
def test_without_orchard_it_gives_the_same_outputs(pruned):
    script = f"""
sys.path.append({str(Path(__file__).parents[2] / "support")!r})
import torch
from load import load
from own_network import Own
with torch.inference_mode():
    torch.save(load({str(pruned.folder)!r}, Own)({IMAGES}), "outputs.pt")
"""
    run_without_orchard(script, pruned.folder)
    assert torch.equal(torch.load(pruned.folder / "outputs.pt"), pruned.outputs)


def test_it_takes_an_instance_as_well_as_a_class_and_is_ready_to_train_on(pruned):
    model = load(pruned.folder, Own(width=8))
    assert not model.training
    before = model.stem.weight.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()(torch.rand(4, 1, 6, 6)).square().sum().backward()
    optimizer.step()
    assert model.stem.weight.shape == (5, 1, 3, 3)
    assert not torch.equal(model.stem.weight, before)


def test_sizes_groups_and_shapes_follow_and_the_folded_norm_is_gone(pruned):
    model = load(pruned.folder, Own)
    assert (model.depthwise.in_channels, model.depthwise.out_channels, model.depthwise.groups) == (5, 5, 5)
    assert model.last.normalized_shape == (11,)
    assert model.head.in_features == 11
    assert isinstance(model.norm, nn.Identity)
    assert model.stem.bias.shape == (5,)


def test_what_was_shared_stays_shared_and_what_was_frozen_frozen(copied):
    class Tied(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
            self.second.weight = self.first.weight
            self.first.bias.requires_grad_(False)

    state = Tied(8).state_dict()
    written = state_bytes(state)
    (copied / "model.safetensors").write_bytes(written)
    config = json.loads((copied / "config.json").read_text())
    config |= {"folded": [], "resized": {}, "attributes": {}}
    config["weights"]["sha256"] = sha256(written).hexdigest()
    (copied / "config.json").write_text(json.dumps(config))
    model = load(copied, Tied)
    assert model.first.weight is model.second.weight
    assert torch.equal(model.first.weight, state["first.weight"])
    assert not model.first.bias.requires_grad
    assert model.second.bias.requires_grad


def test_the_activation_of_a_folded_norm_stays(copied):
    layers = pytest.importorskip("timm.layers", reason="the extra timm is not installed")

    class Activated(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layer, self.norm = nn.Conv2d(1, 4, 1), layers.BatchNormAct2d(4, act_layer=nn.PReLU)

        def forward(self, x):
            return self.norm(self.layer(x))

    folded = Activated(8)
    fold_model(folded, (1, 6, 6))
    written = state_bytes(folded.state_dict())
    (copied / "model.safetensors").write_bytes(written)
    config = json.loads((copied / "config.json").read_text())
    config |= {"folded": [["layer", "norm"]], "resized": {}, "attributes": {}}
    config["weights"]["sha256"] = sha256(written).hexdigest()
    (copied / "config.json").write_text(json.dumps(config))
    images = torch.randn(2, 1, 6, 6)
    assert torch.equal(load(copied, Activated)(images), folded(images))


def test_a_buffer_that_is_no_part_of_the_file_gets_its_length(copied):
    class Kept(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.register_buffer("zeros", torch.zeros(4), persistent=False)

    written = state_bytes({"layer.weight": torch.zeros(3, 4), "layer.bias": torch.zeros(3)})
    (copied / "model.safetensors").write_bytes(written)
    config = json.loads((copied / "config.json").read_text())
    config |= {"folded": [], "resized": {"layer.weight": [4, 4], "layer.bias": [4]}, "attributes": {"": {"zeros": [3]}}}
    config["weights"]["sha256"] = sha256(written).hexdigest()
    (copied / "config.json").write_text(json.dumps(config))
    assert load(copied, Kept).zeros.shape == (3,)


def test_a_class_that_has_changed_is_refused_with_every_name_that_differs(pruned):
    class Changed(Own):
        def __init__(self, width):
            super().__init__(width)
            self.point = nn.Conv2d(width, 2 * width, 3)
            self.more = nn.Linear(2, 2)
            del self.depthwise

    with pytest.raises(ValueError, match="not the one that was exported") as caught:
        load(pruned.folder, Changed)
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert lines == [
        "more.bias: only in the class",
        "more.weight: only in the class",
        "depthwise.bias: only in the file",
        "depthwise.weight: only in the file",
        "point.weight: [16, 8, 3, 3] in the class, [16, 8, 1, 1] when it was exported",
    ]


def test_a_class_without_the_layer_that_was_folded_is_refused(pruned):
    class Changed(Own):
        def __init__(self, width):
            super().__init__(width)
            self.batchnorm = self.norm
            del self.norm

    with pytest.raises(ValueError, match="norm: no such layer in the class"):
        load(pruned.folder, Changed)


def test_another_width_than_that_of_the_export_is_refused(pruned):
    with pytest.raises(ValueError, match=r"stem.weight: \[6, 1, 3, 3\] in the class, \[8, 1, 3, 3\] when it was"):
        load(pruned.folder, Own(width=6))


def test_weights_that_have_changed_are_refused(copied):
    content = bytearray((copied / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copied / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"model\.safetensors has changed since it was exported"):
        load(copied, Own)


class Wrapped(nn.Module):
    """torch's attention between two linear layers."""

    def __init__(self):
        super().__init__()
        self.embed, self.attention = nn.Linear(5, 6), nn.MultiheadAttention(6, 3, batch_first=True)
        self.classes = nn.Linear(6, 2)

    def forward(self, x):
        x = self.embed(x)
        return self.classes(self.attention(x, x, x)[0])


def test_attention_that_lost_heads_needs_the_layer_beside_the_script(tmp_path, monkeypatch):
    torch.manual_seed(0)
    found = find_groups(Wrapped(), (4, 5))
    (heads,) = (group.name for group in found.groups if group.name.endswith("in_proj_weight"))
    model = Wrapped().eval()
    full = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    load_resized(model, select(model.state_dict(), found, {heads: [0, 2]}))
    written = state_bytes(model.state_dict())
    config = {"weights": {"file": "model.safetensors", "sha256": sha256(written).hexdigest()}, "arguments": {}}
    config |= {"folded": [], "resized": full, "attributes": {"attention": {"num_heads": 2}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(written)
    shutil.copy(load_script.__file__, tmp_path / "load_heads.py")
    shutil.copy(headwise.__file__, tmp_path / ATTENTION_FILE)
    monkeypatch.syspath_prepend(tmp_path)
    loaded = importlib.import_module("load_heads").load(tmp_path, Wrapped)
    tokens = torch.randn(2, 4, 5)
    assert torch.equal(loaded(tokens), model(tokens))
