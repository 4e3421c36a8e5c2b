import json

import pytest
import torch

from jobs.errors import BadInputError
from jobs.weights import HubReference
from workers.models import build, build_with_weights, from_transformers
from workers.models.weights import load_published

transformers = pytest.importorskip("transformers", reason="the extra transformers is not installed")
VIT = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "image_size": 16,
    "patch_size": 8,
}
IMAGES = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["vit", "ViTConfig", "ViTForImageClassification"])
def test_a_class_a_configuration_and_a_type_are_the_same_classifier_of_logits(name):
    torch.manual_seed(0)
    ours = build(f"transformers:{name}", {**VIT, "num_labels": 3}).eval()
    theirs = transformers.ViTForImageClassification(transformers.ViTConfig(**VIT, num_labels=3)).eval()
    theirs.load_state_dict(ours.state_dict())
    with torch.no_grad():
        assert torch.equal(ours(IMAGES), theirs(IMAGES).logits)


def test_logits_of_pixels_are_as_large_as_the_images():
    small = {"hidden_sizes": [8] * 4, "depths": [1] * 4, "num_attention_heads": [1] * 4, "decoder_hidden_size": 8}
    model = build("transformers:SegformerForSemanticSegmentation", {**small, "num_labels": 5}).eval()
    assert model(torch.rand(1, 3, 32, 32)).shape == (1, 5, 32, 32)


@pytest.fixture
def repository(tmp_path):
    """A folder that is read like a repository."""

    def save(network):
        network.save_pretrained(tmp_path / "repository")
        return HubReference(repository=str(tmp_path / "repository"))

    return save


def test_a_repository_says_how_its_network_is_built_and_has_its_weights(repository, monkeypatch):
    theirs = transformers.ViTForImageClassification(transformers.ViTConfig(**VIT, num_labels=3)).eval()
    reference = repository(theirs)
    monkeypatch.setattr(HubReference, "parse", lambda text: reference)
    made = build_with_weights("transformers:vit", {}, "hf://lab/net")
    again = build("transformers:vit", json.loads(json.dumps(made.arguments)))  # as a stored recipe has them
    again.load_state_dict(made.module.state_dict())
    with torch.no_grad():
        for ours in (made.module, again):
            assert torch.equal(ours.eval()(IMAGES), theirs(IMAGES).logits)


def test_a_repository_without_a_head_gets_a_fresh_one_on_request(repository):
    reference = repository(transformers.ViTModel(transformers.ViTConfig(**VIT)))
    arguments = {**from_transformers.settled("vit", reference, where=""), "num_labels": 4}
    published = from_transformers.published("vit", reference, arguments, where="")
    ours = build("transformers:vit", arguments)
    with pytest.raises(BadInputError, match=r"classifier: for other classes\? replace_head"):
        load_published(ours, published, replace_head=False)
    loaded = load_published(ours, published, replace_head=True)
    assert loaded.fresh == ("classifier",)
    assert loaded.aside == ("pooler.dense.bias", "pooler.dense.weight")


def test_a_repository_of_another_type_is_refused(repository):
    reference = repository(transformers.ViTModel(transformers.ViTConfig(**VIT)))
    with pytest.raises(BadInputError, match=r"is of type 'deit', but .* has a 'vit'"):
        from_transformers.settled("deit", reference, where="")


@pytest.mark.parametrize(
    ("network", "arguments", "said"),
    [
        ("transformers:vitt", {}, r"has no such network; did you mean 'vit'\?"),
        ("transformers:ViTForImageClasification", {}, r"did you mean 'ViTForImageClassification'\?"),
        ("transformers:vit", {"num_lables": 3}, r"ViTConfig has no 'num_lables'; did you mean 'num_labels'\?"),
    ],
)
def test_what_cannot_be_built_is_said(network, arguments, said):
    with pytest.raises(BadInputError, match=said):
        build(network, arguments)
