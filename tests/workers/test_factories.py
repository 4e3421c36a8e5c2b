"""What a sweep file names is looked at before it is called."""

import functools
import subprocess
import sys

import pytest
from torch import nn

from jobs.errors import BadInputError
from jobs.imports import ALLOW_IMPORTS, import_problem
from workers.factories import import_factory

ran: list[str] = []


class Runs:
    """Does something as soon as it is called, and is no network."""

    def __init__(self) -> None:
        ran.append("Runs")


class Network(nn.Module):
    """A network."""


def network() -> nn.Module:
    return Network()


def unknown():
    return Network()


def number() -> int:
    ran.append("number")
    return 1


def unreadable() -> "NoSuchName":  # noqa: F821
    return Network()


run = subprocess.run
bound = functools.partial(unknown)


def find(name: str):
    return import_factory(name, where=f"network '{name}'", gives=nn.Module)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Tests are imported under names of their own."""
    monkeypatch.setitem(sys.modules, "their_factories", sys.modules[__name__])


@pytest.mark.parametrize("name", ["subprocess:Popen", "os:system", "shutil:rmtree", "builtins:exec", "builtins:eval"])
def test_nothing_of_the_standard_library_is_called(name):
    with pytest.raises(BadInputError, match=r"of Python's standard library .*; nothing there gives torch\.nn\.Module"):
        find(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [("Runs", "is a class, and no torch.nn.Module"), ("number", "returns int by its annotation"), ("run", "standard")],
)
def test_what_cannot_give_a_network_is_not_called(name, said):
    with pytest.raises(BadInputError, match=said):
        find(f"their_factories:{name}")
    assert ran == []


@pytest.mark.parametrize("name", ["Network", "network", "unknown", "unreadable", "bound"])
def test_what_may_give_a_network_is_found(name):
    assert isinstance(find(f"their_factories:{name}")(), Network)


def test_where_imports_are_bounded_others_are_refused(monkeypatch):
    monkeypatch.setenv(ALLOW_IMPORTS, "my_project, timm")
    assert [import_problem(name) for name in ("my_project", "my_project.nets", "timm")] == [None, None, None]
    assert "ORCHARD_ALLOW_IMPORTS allows my_project, timm" in str(import_problem("my_projects"))
    with pytest.raises(BadInputError, match="their_factories' may not be named here"):
        find("their_factories:network")
    monkeypatch.setenv(ALLOW_IMPORTS, "")
    assert "allows none" in str(import_problem("timm"))


def test_a_script_that_ends_python_is_refused(tmp_path, monkeypatch):
    (tmp_path / "their_script.py").write_text("import sys\n\ndef net(): ...\n\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadInputError, match="their_script ends Python as it is imported"):
        find("their_script:net")
