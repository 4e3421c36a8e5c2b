import sys
import types

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models._api import WeightsEnum

from jobs.errors import BadInputError, InvalidFileError
from jobs.weights import CheckpointReading
from workers.models import build_with_weights, from_torchvision

NETWORK = "torchvision:squeezenet1_1"
IMAGES = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def states():
    """What torchvision would fetch, by the name of the set."""
    torch.manual_seed(0)
    return {"IMAGENET1K_V1": torchvision.models.squeezenet1_1().state_dict()}


@pytest.fixture
def _fetched(monkeypatch, states):
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, **_how: states[self.name])


@pytest.mark.usefixtures("_fetched")
@pytest.mark.parametrize("weights", ["pretrained", "pretrained:IMAGENET1K_V1"])
def test_published_weights_give_torchvisions_own_network(weights):
    made = build_with_weights(NETWORK, {}, weights)
    theirs = torchvision.models.squeezenet1_1(weights="IMAGENET1K_V1").eval()
    with torch.no_grad():
        assert torch.equal(made.module.eval()(IMAGES), theirs(IMAGES))
    assert made.loaded.layout == "torchvision's IMAGENET1K_V1"


@pytest.mark.usefixtures("_fetched")
def test_their_head_is_replaced_on_request_alone(states):
    with pytest.raises(InvalidFileError, match=r"classifier\.1: for other classes\? replace_head"):
        build_with_weights(NETWORK, {"num_classes": 3}, "pretrained")
    made = build_with_weights(NETWORK, {"num_classes": 3}, "pretrained", CheckpointReading(replace_head=True))
    assert made.loaded.fresh == ("classifier.1",)
    first = "features.0.weight"
    assert torch.equal(made.module.state_dict()[first], states["IMAGENET1K_V1"][first])


def test_an_unknown_set_is_named_with_the_nearest():
    with pytest.raises(BadInputError, match=r"no weights 'IMAGENET_V1'; did you mean 'IMAGENET1K_V1'\?"):
        build_with_weights(NETWORK, {}, "pretrained:IMAGENET_V1")


@pytest.mark.parametrize(
    ("name", "chosen", "arguments"),
    [
        ("resnet18", None, {}),
        ("googlenet", None, {"transform_input": True}),
        ("vit_b_16", "IMAGENET1K_SWAG_E2E_V1", {"image_size": 384}),
        ("quantized_resnet18", None, {}),
    ],
)
def test_arguments_that_come_with_weights_are_torchvisions(name, chosen, arguments):
    assert from_torchvision.settled(name, chosen, where="") == arguments


def test_detectors_with_weights_have_the_norms_that_torchvision_gives_them(monkeypatch):
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, **_how: {})
    monkeypatch.setattr(nn.Module, "load_state_dict", lambda *_how, **_more: None)
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    with torch.device("meta"):
        ours = from_torchvision.factory(name, {}, where="")[0](**from_torchvision.settled(name, None, where=""))
        theirs = torchvision.models.get_model(name, weights="DEFAULT")
    norms = [
        {path: (type(each), each.eps) for path, each in model.named_modules() if hasattr(each, "eps")}
        for model in (ours, theirs)
    ]
    assert norms[0] == norms[1]


def test_a_callable_that_loads_its_own_weights_is_left_alone(monkeypatch):
    def net():
        layer = nn.Linear(2, 1, bias=False)
        nn.init.constant_(layer.weight, 3.0)
        return layer

    monkeypatch.setitem(sys.modules, "orchard_test_lab", types.SimpleNamespace(net=net))
    made = build_with_weights("orchard_test_lab:net", {}, "own")
    assert made.module.weight.tolist() == [[3.0, 3.0]]
    assert made.loaded.layout == "loaded by the network's own callable"


def test_a_file_of_the_hub_is_read_like_any_other(monkeypatch, tmp_path):
    asked = []
    torch.save({"model": {"weight": torch.full((1, 2), 5.0), "bias": torch.zeros(1)}}, tmp_path / "w.bin")

    class NotThereError(Exception):
        pass

    def download(repository, name, *, revision):
        asked.append((repository, name, revision))
        if not name.endswith(".bin"):
            raise NotThereError
        return str(tmp_path / "w.bin")

    errors = types.SimpleNamespace(EntryNotFoundError=NotThereError, LocalEntryNotFoundError=TimeoutError)
    hub = types.SimpleNamespace(hf_hub_download=download, errors=errors)
    monkeypatch.setattr("workers.models.hub._hub", lambda reference: hub)
    monkeypatch.setitem(sys.modules, "orchard_test_lab", types.SimpleNamespace(net=lambda: nn.Linear(2, 1)))
    made = build_with_weights("orchard_test_lab:net", {}, "hf://lab/net@v1")
    assert made.module.weight.tolist() == [[5.0, 5.0]]
    assert asked[0] == ("lab/net", "model.safetensors", "v1")
    with pytest.raises(BadInputError, match=r"hf://lab/net@main/w\.pt: the repository has no w\.pt; name its file"):
        build_with_weights("orchard_test_lab:net", {}, "hf://lab/net/w.pt")
