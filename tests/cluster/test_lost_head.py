"""A head that is killed under a driver which was submitted as a job."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import until

BIN = Path(sys.executable).parent
REPOSITORY = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(600)]


def children(parent: int) -> dict[int, str]:
    """Commands of the direct children of a process, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found[int(folder.name)] = (folder / "cmdline").read_text()
        except (OSError, ValueError):
            continue
    return found


def test_a_job_whose_head_is_lost_says_so_within_half_a_minute(head, ray_environment, tmp_path, database):
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(REPOSITORY / "jobs" / "sweeps" / "quickstart.yaml", work)
    entry = [
        *("orchard", "run", "quickstart.yaml", "seeds=[0]", "methods={dense: {kind: dense}}", "name=headless"),
        *("models.resnet.train.epochs=4000", f"storage={tmp_path}/store", f"tracking={database}"),
    ]
    subprocess.run(
        [
            *(str(BIN / "ray"), "job", "submit", "--address", head["dashboard"], "--working-dir", str(work)),
            *("--no-wait", "--submission-id", "headless", "--", *entry),
        ],
        env=ray_environment,
        check=True,
        timeout=120,
        capture_output=True,
    )
    raylet, gcs = (
        next(pid for pid, command in children(int(head["pid"])).items() if name in command.split("\0")[0])
        for name in ("raylet", "gcs_server")
    )
    until(lambda: any(command.startswith("ray::work") for command in children(raylet).values()))
    log = next(Path(head["folder"]).glob("session_2*/logs/job-driver-headless.log"))
    os.kill(gcs, signal.SIGKILL)
    killed_s = time.monotonic()
    until(lambda: "has not answered for" in log.read_text())
    assert time.monotonic() - killed_s < 30
    assert "run the same command again" in log.read_text()
