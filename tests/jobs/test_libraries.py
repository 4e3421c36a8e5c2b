import importlib.util

import pytest

from jobs.errors import InvalidFileError
from jobs.libraries import is_own, library_of, missing
from jobs.load import load_sweep


def test_a_prefix_is_a_library_or_the_users_own():
    names = ("resnet", "torchvision:resnet18", "timm:vit_tiny", "transformers:vit", "timmy:net")
    assert [library_of(name) for name in names] == [None, "torchvision", "timm", "transformers", None]
    assert [is_own(name) for name in names] == [False, False, False, False, True]


@pytest.fixture
def without_optional_packages(monkeypatch):
    find = importlib.util.find_spec
    optional = ("timm", "transformers", "huggingface_hub")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in optional else find(name))


@pytest.mark.usefixtures("without_optional_packages")
@pytest.mark.parametrize(
    ("model", "path", "said"),
    [
        ({"network": "timm:resnet18"}, "models.net.network", "timm is not installed here; pip install 'orchard[timm]'"),
        ({"network": "transformers:vit"}, "models.net.network", "pip install 'orchard[transformers]'"),
        ({"network": "resnet", "weights": "hf://lab/net"}, "models.net.weights", "pip install 'orchard[hub]'"),
    ],
)
def test_what_is_not_installed_is_said_before_anything_runs(tiny_sweep, write_sweep, model, path, said):
    tiny_sweep["models"] = {"net": {"train": {"epochs": 1}, **model}}
    with pytest.raises(InvalidFileError) as caught:
        load_sweep(write_sweep(tiny_sweep))
    (fault,) = caught.value.faults
    assert fault.path == path
    assert said in fault.problem


@pytest.mark.usefixtures("without_optional_packages")
def test_packages_that_orchard_brings_are_not_asked_for():
    assert missing("torchvision") is None
