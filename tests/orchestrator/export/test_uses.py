"""How the files of an export are used: what the card says works."""

import functools
import re

import onnxruntime
import pytest
import torch
import torchvision
from torch import nn

from jobs.spec.inputs import TensorSpec
from orchestrator.export.uses import uses_of
from workers.export.formats import ONNX_FILE, PROGRAM_FILE, TORCHSCRIPT_FILE, write_formats
from workers.inputs import InputSpec
from workers.models import build
from workers.network import NetworkRecipe

IMAGE = InputSpec.of_shape((3, 8, 8))


class Difference(nn.Module):
    def forward(self, left, right):
        return left - 2 * right


def recipe_of(network, arguments=None, inputs=IMAGE, backbone=None):
    return NetworkRecipe(network=network, arguments=arguments or {}, inputs=inputs, backbone=backbone)


def code(use):
    (found,) = re.findall("`(.*)`", use)
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
@pytest.mark.parametrize("named", [False, True])
def test_the_calls_of_a_network_with_several_inputs_work(tmp_path, monkeypatch, named):
    each = TensorSpec(shape=(4,))
    inputs = InputSpec.of({"left": each, "right": each} if named else [each, each])
    written, _ = write_formats([PROGRAM_FILE, ONNX_FILE, TORCHSCRIPT_FILE], tmp_path, Difference().eval(), inputs)
    files = [file.name for file in written]
    assert len(files) == (1 if named else 3)
    monkeypatch.chdir(tmp_path)
    first, second = torch.rand(3, 4), torch.rand(3, 4)
    given = dict(zip(inputs.names or ("inputs_0", "inputs_1"), (first, second), strict=True))
    for file, use in zip(files, uses_of(files, recipe_of("own:Difference", inputs=inputs)), strict=True):
        values = {name: value.numpy() for name, value in given.items()} if file == ONNX_FILE else given
        found = eval(code(use), {"torch": torch, "onnxruntime": onnxruntime, **values})
        torch.testing.assert_close(torch.as_tensor(found[0] if file == ONNX_FILE else found), first - 2 * second)


def test_images_alone_are_called_images():
    assert [code(use) for use in uses_of([PROGRAM_FILE, ONNX_FILE], recipe_of("own:Net"))] == [
        'torch.export.load("model.pt2").module()(images)',
        'onnxruntime.InferenceSession("model.onnx").run(None, {"images": images})',
    ]


@pytest.mark.filterwarnings("ignore:.*:FutureWarning", "ignore:.*:UserWarning", "ignore:.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("squeezenet1_1", {"num_classes": 4}),
        ("r3d_18", {"num_classes": 4}),
        ("quantized_shufflenet_v2_x0_5", {"num_classes": 4}),
        ("lraspp_mobilenet_v3_large", {"num_classes": 4}),
        ("ssdlite320_mobilenet_v3_large", {"num_classes": 4}),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", {"num_classes": 4}),
        ("raft_small", {}),
    ],
)
def test_torchvisions_own_has_the_tensors_of_ours_without_a_download(name, arguments):
    (use,) = uses_of(["load.py"], recipe_of(f"torchvision:{name}", arguments))
    (factory,) = re.findall(r"^`load\(FOLDER, (.*)\)`", use)
    with torch.device("meta"):
        theirs = eval(factory, {"functools": functools, "torchvision": torchvision})(**arguments)
        ours = build(f"torchvision:{name}", arguments)
    assert [(key, each.shape) for key, each in ours.state_dict().items()] == [
        (key, each.shape) for key, each in theirs.state_dict().items()
    ]


def test_what_is_orchards_own_is_named_with_what_works_without_it():
    frozen = recipe_of("torchvision:fasterrcnn_resnet50_fpn", {"norm": "frozen", "num_classes": 4})
    (_, use) = uses_of([PROGRAM_FILE, "load.py"], frozen)
    assert use == (
        "needs `norm` of `torchvision:fasterrcnn_resnet50_fpn`, which torchvision's own does not take, so that "
        "`workers.load(FOLDER)` loads it; without it, use model.pt2"
    )
    (use,) = uses_of(["load.py"], recipe_of("own:Net", backbone=recipe_of("plain")))
    assert use == "needs the class of `plain`, which is Orchard's, so that `workers.load(FOLDER)` loads it"


def test_what_the_other_libraries_and_segmentation_return_is_told():
    uses = {
        "timm:resnet18": '`load(FOLDER, functools.partial(timm.create_model, "resnet18"))`',
        "transformers:vit": "what it returns has the logits as `logits`",
        "torchvision:fcn_resnet50": "what it returns has the logits as `out`",
        "torchvision:ssd300_vgg16": "it takes a list of images, and returns a list of mappings",
    }
    for network, said in uses.items():
        (use,) = uses_of(["load.py"], recipe_of(network))
        assert said in use
