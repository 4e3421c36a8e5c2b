import subprocess
import sys
from pathlib import Path

import pytest

from jobs.errors import BadInputError
from orchestrator.shadowing import refuse_shadows


@pytest.mark.parametrize("name", ["workers/__init__.py", "jobs.py"])
def test_a_package_with_the_name_of_ours_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(BadInputError, match=f"{name} has the name of Orchard's own package .*; rename yours"):
        refuse_shadows(tmp_path)


def test_ours_and_folders_without_code_are_no_fault(tmp_path):
    (tmp_path / "jobs").mkdir()  # of sweep files, say: a package elsewhere goes before it
    (tmp_path / "jobs" / "sweep.yaml").touch()
    refuse_shadows(tmp_path)
    refuse_shadows(Path(__file__).parents[2])


def test_every_command_says_so_at_once(tmp_path):
    (tmp_path / "workers.py").touch()
    command = [sys.executable, "-P", "-c", "from orchestrator.cli import main; main()", "status"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "workers.py has the name of Orchard's own package 'workers'" in done.stderr
