import pytest
import torch

from jobs.errors import BadInputError, InvalidFileError
from jobs.weights import CheckpointReading
from workers.models import build, build_with_weights

timm = pytest.importorskip("timm", reason="the extra timm is not installed")
IMAGES = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def _fetched(monkeypatch):
    """The weights that timm would fetch."""
    torch.manual_seed(0)
    state = timm.create_model("test_resnet").state_dict()
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", lambda *_where, **_how: dict(state))


def test_a_network_takes_timms_arguments():
    assert build("timm:test_resnet", {"num_classes": 3}).eval()(IMAGES).shape == (1, 3)


@pytest.mark.usefixtures("_fetched")
def test_published_weights_give_timms_own_network():
    made = build_with_weights("timm:test_resnet.r160_in1k", {}, "pretrained")
    theirs = timm.create_model("test_resnet", pretrained=True).eval()
    with torch.no_grad():
        assert torch.equal(made.module.eval()(IMAGES), theirs(IMAGES))
    assert made.loaded.layout == "timm's test_resnet.r160_in1k"


@pytest.mark.usefixtures("_fetched")
def test_their_head_is_replaced_on_request_alone():
    with pytest.raises(InvalidFileError, match=r"fc: for other classes\?"):
        build_with_weights("timm:test_resnet", {"num_classes": 3}, "pretrained")
    reading = CheckpointReading(replace_head=True)
    assert build_with_weights("timm:test_resnet", {"num_classes": 3}, "pretrained", reading).loaded.fresh == ("fc",)


@pytest.mark.parametrize(
    ("network", "arguments", "said"),
    [
        ("timm:resnet5", {}, r"has no such network; did you mean 'resnet50'\?"),
        ("timm:test_resnet.r16_in1k", {}, r"has no weights 'r16_in1k' for it; did you mean 'r160_in1k'\?"),
        ("timm:test_resnet", {"wings": 2}, "refused its arguments .*'wings'"),
    ],
)
def test_what_cannot_be_built_is_said(network, arguments, said):
    with pytest.raises(BadInputError, match=said):
        build(network, arguments)


def test_a_network_without_published_weights_is_named(monkeypatch):
    monkeypatch.setattr(timm, "list_pretrained", lambda architecture: [])
    with pytest.raises(BadInputError, match="timm publishes no weights for it"):
        build_with_weights("timm:test_resnet", {}, "pretrained")
