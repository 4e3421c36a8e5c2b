import sys
import types
from importlib.metadata import version

import fsspec
import pytest

from jobs.errors import BadInputError
from jobs.weights import HubReference, is_file, weights_fingerprint

COMMIT = "0123456789" * 4


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("hf://lab/net-a.b", "hf://lab/net-a.b@main"),
        ("hf://lab/net@v1", "hf://lab/net@v1"),
        ("hf://lab/net/folder/w.pt", "hf://lab/net@main/folder/w.pt"),
        ("hf://lab/net@v1/w.pt", "hf://lab/net@v1/w.pt"),
    ],
)
def test_a_reference_reads_as_it_is_written(text, whole):
    assert str(HubReference.parse(text)) == whole
    assert HubReference.parse(whole) == HubReference.parse(text)


@pytest.fixture
def hub(monkeypatch):
    """A hub with one repository, whose branch `main` is at a commit."""

    class HfApi:
        def repo_info(self, repository, *, revision):
            if (repository, revision) != ("lab/net", "main"):
                raise OSError("404")
            return types.SimpleNamespace(sha=COMMIT)

    monkeypatch.setattr("jobs.weights.missing", lambda package: None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(HfApi=HfApi))


@pytest.mark.usefixtures("hub")
def test_a_repository_is_identified_by_its_commit():
    assert weights_fingerprint("hf://lab/net/w.pt", "resnet") == f"hf://lab/net@{COMMIT}/w.pt"


@pytest.mark.usefixtures("hub")
def test_a_commit_is_not_asked_for():
    assert weights_fingerprint(f"hf://other/net@{COMMIT}", "resnet") == f"hf://other/net@{COMMIT}"


@pytest.mark.usefixtures("hub")
def test_a_hub_that_does_not_answer_is_said():
    with pytest.raises(BadInputError, match=r"hf://lab/other@main: the hub does not say which commit that is \(404\)"):
        weights_fingerprint("hf://lab/other", "resnet")


def test_a_published_set_is_identified_by_its_library():
    found = weights_fingerprint("pretrained:IMAGENET1K_V1", "torchvision:resnet50")
    assert found == f"torchvision {version('torchvision')} pretrained:IMAGENET1K_V1"


def test_a_checkpoint_counts_whole_whatever_its_size(tmp_path):
    first, second = (tmp_path / name for name in ("first.pt", "second.pt"))
    remote = fsspec.filesystem("memory")
    content = bytearray(66 * 2**20)
    for file in (first, second):
        file.write_bytes(content)
        remote.pipe(f"/{file.name}", bytes(content))
        content[33 * 2**20] = 1  # a weight in the middle
    assert weights_fingerprint(str(first), "resnet") != weights_fingerprint(str(second), "resnet")
    there = [weights_fingerprint(f"memory://{file.name}", "resnet") for file in (first, second)]
    assert there == [weights_fingerprint(str(file), "resnet") for file in (first, second)]
    for file in (first, second):
        remote.rm(f"/{file.name}")


def test_words_and_references_are_no_files():
    files = [name for name in ("own", "pretrained", "pretrained:A", "hf://a/b", "/w.pt", "s3://b/w") if is_file(name)]
    assert files == ["/w.pt", "s3://b/w"]


def test_a_folder_is_no_file_of_weights(tmp_path):
    (tmp_path / "best.pt").touch()
    with pytest.raises(BadInputError, match=r"is a folder; name the file of the weights; in it are best\.pt"):
        weights_fingerprint(str(tmp_path), "resnet")
