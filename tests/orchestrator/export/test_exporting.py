"""`orchard export`: the command and the folder that it writes."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from without_orchard import run_without_orchard

import orchestrator
import workers
from jobs.artifact import Manifest
from orchestrator.commands.selecting import Selection, find_network
from orchestrator.export import read_network
from orchestrator.export.writing import ExportOptions, export_network
from orchestrator.results import Further
from orchestrator.results.selection import Requirements
from workers.artifacts import QUANTIZED_FILE

pytestmark = pytest.mark.slow

L1 = ("--method", "l1", "--compression", "0.3", "--seed", "0")
LOAD = """
sys.path.append({support!r})
import torch
from load import load
from own_network import Own
images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
with torch.inference_mode():
    torch.save(load(".", Own)(images), "outputs.pt")
"""


@pytest.fixture
def no_formats(monkeypatch):
    """Exporters take seconds, and most tests are about what stands beside their files."""
    monkeypatch.setattr("orchestrator.export.writing.write_formats", lambda *arguments: ([], {}))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_the_folder_has_all_files_and_the_command_tells_them(orchard, store, tmp_path, images):
    code, out, err = orchard("export", "small", "--storage", store.uri, *L1, "--out", "network", "--torchscript")
    assert (code, err) == (0, "")
    first, *files, last = out.splitlines()
    assert first.startswith("net/l1 at 30 %, seed 0: accuracy ")
    assert last == "network"
    programs = ["model.pt2", "model.onnx", "model.torchscript.pt"]
    names = ["model.safetensors", "config.json", "load.py", *programs, "README.md"]
    assert [line.split()[0] for line in files] == names
    assert sorted(each.name for each in (tmp_path / "network").iterdir()) == sorted(names)
    assert [line.split()[0] for line in files if "outputs differ by at most" in line] == programs
    measured = orchestrator.load_network(store, "small", method="l1", seed=0)
    with torch.inference_mode():
        expected = measured(images)
        assert torch.equal(workers.load("network")(images), expected)
    run_without_orchard(LOAD.format(support=str(Path(__file__).parents[2] / "support")), tmp_path / "network")
    assert torch.equal(torch.load(tmp_path / "network" / "outputs.pt"), expected)


def test_the_description_says_what_the_network_is_and_what_images_it_wants(orchard, store, no_formats, tmp_path):
    assert orchard("export", "small", "--storage", store.uri, *L1, "--out", "network")[0] == 0
    config = json.loads((tmp_path / "network" / "config.json").read_text())
    assert config["network"] == "own_network:Own"
    assert config["arguments"] == {"width": 8, "classes": 10, "layer_norm": False}
    assert config["input_shape"] == [1, 8, 8]
    assert config["normalize"] == {"mean": [0.5], "std": [0.25]}
    assert config["folded"] == []
    assert config["widths"].keys() == {"stem", "point"}
    left = config["widths"]["stem"]["left"]
    assert left < config["widths"]["stem"]["full"] == 8
    assert config["attributes"]["depthwise"] == {"in_channels": left, "out_channels": left, "groups": left}
    weights = (tmp_path / "network" / "model.safetensors").read_bytes()
    assert config["weights"] == {"file": "model.safetensors", "sha256": sha256(weights).hexdigest()}


def test_the_description_of_a_network_around_another_one_has_that(store, no_formats, tmp_path):
    asked = Selection(wanted=Requirements(method="l1"), seed=0, best=False, by=None)
    found = find_network("small", store.uri, asked)
    chosen = read_network(found.record, store, found.every, found.selected)
    inner = replace(chosen.recipe, folded=(("stem", "norm"),))
    around = replace(chosen.recipe, network="own_network:Around", arguments={"outputs": 3}, backbone=inner)
    export_network(replace(chosen, recipe=around), store, tmp_path / "network", ExportOptions())
    assert json.loads((tmp_path / "network" / "config.json").read_text())["backbone"] == {
        "network": "own_network:Own",
        "arguments": {"width": 8, "classes": 10, "layer_norm": False},
        "folded": [["stem", "norm"]],
        "backbone": None,
    }


def test_the_best_network_says_why_it_is_the_best(orchard, store, no_formats):
    code, out, _ = orchard("export", "small", "--storage", store.uri, "--best", "--within", "100", "--out", "network")
    assert code == 0
    assert out.startswith("net/zeros at 50 %, seed ")
    assert "(least parameters, within 100 % of the dense network)" in out
    assert "| chosen | least parameters, within 100 % of the dense network |" in Path("network/README.md").read_text()


def test_best_alone_is_the_smallest_within_one_of_the_dense_network(orchard, store, no_formats):
    code, out, _ = orchard("export", "small", "--storage", store.uri, "--best", "--out", "network")
    assert code == 0
    assert "(least parameters, within 1 % of the dense network)" in out


def test_a_folder_that_exists_is_refused_and_replaced_when_asked(orchard, store, no_formats):
    command = ("export", "small", "--storage", store.uri, *L1, "--out", "network")
    assert orchard(*command)[0] == 0
    code, _, err = orchard(*command)
    assert code == 2
    assert "exists; --force replaces it" in err
    assert orchard(*command, "--force")[0] == 0


def test_a_network_that_onnx_cannot_express_is_exported_as_far_as_it_goes(orchard, store, monkeypatch):
    refused = "orchestrator.export.writing.write_formats"
    monkeypatch.setattr(refused, lambda *arguments: ([], {"model.onnx": "ONNX cannot express the network: no such op"}))
    code, out, err = orchard("export", "small", "--storage", store.uri, *L1, "--out", "network")
    assert code == 1
    assert "is missing: ONNX cannot express the network: no such op" in err
    assert "model.safetensors" in out
    card = Path("network/README.md").read_text()
    assert "**model.onnx is missing**: ONNX cannot express the network: no such op." in card


def test_a_class_that_has_changed_gives_exit_code_2_and_no_folder(orchard, store, changed_class):
    code, _, err = orchard("export", "small", "--storage", store.uri, *L1, "--out", "network")
    assert code == 2
    assert "depthwise.weight: gone" in err
    assert not Path("network").exists()


def test_int8_needs_a_sweep_that_quantised_the_network(orchard, store):
    code, _, err = orchard("export", "small", "--storage", store.uri, *L1, "--out", "network", "--int8")
    assert code == 2
    assert "add `measure: {quantize: [int8]}` to the sweep file" in err
    assert not Path("network").exists()


def test_int8_is_the_file_that_the_sweep_has_measured(store, no_formats, tmp_path):
    key = "ab" * 16
    store.commit(Manifest(key=key, stage="quantize", identity={}, measurements={}), {QUANTIZED_FILE: b"a graph"})
    asked = Selection(wanted=Requirements(method="l1"), seed=0, best=False, by=None)
    found = find_network("small", store.uri, asked)
    chosen = read_network(found.record, store, found.every, found.selected)
    further = (Further(stage="quantize", key=key, metrics={"accuracy/int8": 0.5}, created_s=1.0),)
    points = {0: replace(found.selected.point, further=further)}
    selected = replace(found.selected, candidate=replace(found.selected.candidate, points=points))
    export_network(replace(chosen, selected=selected), store, tmp_path / "network", ExportOptions(int8=True))
    assert (tmp_path / "network" / QUANTIZED_FILE).read_bytes() == b"a graph"
    assert "| accuracy (int8) | 50.0 % | 50.0 % |" in (tmp_path / "network" / "README.md").read_text()
