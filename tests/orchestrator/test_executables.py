import sys
from pathlib import Path

import pytest

from orchestrator.executables import typed


@pytest.fixture
def environment(tmp_path, monkeypatch) -> Path:
    """An environment in a folder `env` of the present one, which has the command `orchard`."""
    folder = tmp_path / "env" / "bin"
    folder.mkdir(parents=True)
    (folder / "orchard").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.chdir(tmp_path)
    return folder


def test_what_the_shell_finds_is_typed_by_its_name(environment, monkeypatch):
    monkeypatch.setenv("PATH", str(environment))
    assert typed("orchard") == "orchard"


def test_what_it_does_not_find_is_typed_by_its_path(environment, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "/nowhere")
    assert typed("orchard") == "env/bin/orchard"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert typed("orchard") == str(environment / "orchard")


def test_another_command_of_that_name_is_not_meant(environment, monkeypatch, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "orchard").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(other))
    assert typed("orchard") == "env/bin/orchard"


def test_what_is_not_installed_keeps_its_name(environment):
    assert typed("mlflow") == "mlflow"
