import re

import pytest
import torch
from token_network import INPUTS, Tokens
from torch import nn
from without_orchard import run_without_orchard

from jobs.errors import BadNetworkError
from workers.export.comparison import compare
from workers.export.formats import ONNX_FILE, PROGRAM_FILE, TORCHSCRIPT_FILE, write_formats
from workers.export.graph import OnnxNetwork, checked_onnx
from workers.inputs import InputSpec

ALL = [PROGRAM_FILE, ONNX_FILE, TORCHSCRIPT_FILE]
SCRIPT = """
import warnings
import torch
import onnxruntime
images = torch.rand(3, 1, 6, 6, generator=torch.Generator().manual_seed(1))
session = onnxruntime.InferenceSession("model.onnx")
with torch.inference_mode():
    outputs = {
        "model.pt2": torch.export.load("model.pt2").module()(images),
        "model.onnx": torch.from_numpy(session.run(None, {"images": images.numpy()})[0]),
    }
    warnings.simplefilter("ignore")  # torch advises against TorchScript
    outputs["model.torchscript.pt"] = torch.jit.load("model.torchscript.pt")(images)
torch.save(outputs, "outputs.pt")
"""


@pytest.mark.slow
def test_without_orchard_every_format_gives_the_same_outputs_for_batches_of_another_size(pruned, tmp_path):
    files, missing = write_formats(ALL, tmp_path, pruned.module, (1, 6, 6))
    assert missing == {}
    assert [(file.name, file.size_bytes) for file in files] == [(n, (tmp_path / n).stat().st_size) for n in ALL]
    assert all(file.difference < 1e-5 for file in files)
    for name in ALL[:2]:  # no lines of this machine's source files
        assert b"own_network.py" not in (tmp_path / name).read_bytes()
    run_without_orchard(SCRIPT, tmp_path)  # a batch of three; written with one of two
    outputs = torch.load(tmp_path / "outputs.pt")
    assert outputs.keys() == set(ALL)
    for found in outputs.values():
        torch.testing.assert_close(found, pruned.outputs, rtol=1e-4, atol=1e-5)


class Eigenvalues(nn.Module):
    """ONNX has no operator for it."""

    def forward(self, images):
        return torch.linalg.eigvalsh(images[:, 0] @ images[:, 0].mT)


@pytest.mark.slow
def test_a_format_that_cannot_express_the_network_says_why_and_the_others_are_written(tmp_path, capfd):
    files, missing = write_formats(ALL[:2], tmp_path, Eigenvalues().eval(), (1, 4, 4))
    assert [file.name for file in files] == [PROGRAM_FILE]
    assert missing.keys() == {ONNX_FILE}
    assert "ONNX cannot express the network" in missing[ONNX_FILE]
    assert "eigh" in missing[ONNX_FILE]
    assert sorted(each.name for each in tmp_path.iterdir()) == [PROGRAM_FILE]
    assert capfd.readouterr() == ("", "")


class DoublePrecision(nn.Module):
    """ONNX has its operators; ONNX Runtime has none of them in double precision."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 3).double()

    def forward(self, images):
        return self.layer(images.double()).float()


@pytest.mark.slow
def test_a_graph_that_onnx_runtime_cannot_run_is_no_obstacle_to_the_others(tmp_path):
    files, missing = write_formats(ALL[:2], tmp_path, DoublePrecision().eval(), (1, 4, 4))
    assert [file.name for file in files] == [PROGRAM_FILE]
    assert re.match(
        r"ONNX Runtime cannot run the graph: NotImplemented: .* implementation for Conv", missing[ONNX_FILE]
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == [PROGRAM_FILE]


def test_an_exported_form_that_does_not_run_says_with_what_batch_and_why():
    def fixed(images):
        if len(images) != 2:
            raise IndexError("traced for two\nof them")
        return network(images)

    network = nn.Linear(4, 2)
    with pytest.raises(BadNetworkError, match=r"^it does not run with a batch of 1: IndexError: traced for two$"):
        compare("it", fixed, network, torch.rand(2, 4))


def test_outputs_that_differ_or_are_not_numbers_are_refused():
    images, network = torch.rand(2, 4), nn.Linear(4, 2)
    assert compare("it", network, network, images) == 0
    for wrong in (lambda each: network(each) * 1.01, lambda each: network(each) * torch.nan):
        with pytest.raises(BadNetworkError, match="outputs of it differ by"):
            compare("it", wrong, network, images)
    with pytest.raises(BadNetworkError, match=r"it gives \(1, 2\), the network \(2, 2\)"):
        compare("it", lambda each: network(each[:1]), network, images)


class Two(nn.Module):
    """A number for each of two inputs."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(3, 2), nn.Linear(4, 2)

    def forward(self, left, right):
        left, right = self.left(left), self.right(right)
        return {"sum": left + right, "left": left}


@pytest.mark.slow
def test_several_inputs_and_outputs_have_numbers_in_a_graph(tmp_path):
    network = Two().eval()
    inputs = InputSpec.of_sample((torch.rand(3), torch.rand(4)))
    _, missing = write_formats([PROGRAM_FILE, ONNX_FILE], tmp_path, network, inputs)
    assert missing == {}
    graph = OnnxNetwork((tmp_path / ONNX_FILE).read_bytes())
    assert [each.name for each in graph._session.get_inputs()] == ["inputs_0", "inputs_1"]
    assert [each.name for each in graph._session.get_outputs()] == ["outputs_0", "outputs_1"]


def test_a_graph_of_named_inputs_is_refused_by_name(tmp_path):
    _, missing = write_formats([ONNX_FILE, TORCHSCRIPT_FILE], tmp_path, Tokens().eval(), INPUTS)
    assert "keyword arguments (tokens, mask) are not written" in missing[ONNX_FILE]
    assert "no keyword arguments" in missing[TORCHSCRIPT_FILE]


class Padded(nn.Module):
    """It makes its images larger where their size is none of its."""

    def forward(self, images):
        height, width = images.shape[-2:]
        if height % 4 or width % 4:
            images = nn.functional.pad(images, (0, -width % 4, 0, -height % 4))
        return nn.functional.interpolate(nn.functional.avg_pool2d(images, 4), scale_factor=4.0)[..., :height, :width]


@pytest.mark.slow
def test_a_graph_is_for_images_of_other_sizes_only_where_it_is_right_for_them(tmp_path):
    batch = torch.rand(2, 1, 8, 8)
    content, _ = checked_onnx(Padded().eval(), (1, 8, 8), batch)
    assert OnnxNetwork(content)(batch).shape == batch.shape
    with pytest.raises(Exception, match=r"Got: 10 Expected: 8"):
        OnnxNetwork(content)(torch.rand(2, 1, 10, 10))
    _, missing = write_formats([TORCHSCRIPT_FILE], tmp_path, Padded().eval(), (1, 8, 8))
    assert "for images of another size" in missing[TORCHSCRIPT_FILE]
    plain, _ = checked_onnx(nn.Conv2d(1, 2, 3, padding=1).eval(), (1, 8, 8), batch)
    assert OnnxNetwork(plain)(torch.rand(2, 1, 10, 10)).shape == (2, 2, 10, 10)
