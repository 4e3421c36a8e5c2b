"""A short version of each fault of `benchmarks.chaos`: killed, torn, full, cut off; nothing is lost, nothing twice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.chaos.inline_faults import FAULTS
from benchmarks.chaos.ray_faults import RAY_FAULTS

REPOSITORY = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def chaos(*arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.chaos", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def assert_clean(found: dict) -> None:
    damage = {key: found[key] for key in ("lost", "duplicated", "recomputed")}
    assert damage == {"lost": 0, "duplicated": 0, "recomputed": 0}, found


def test_faults_of_drivers_files_and_mlflow():
    found = chaos("--where", "inline", "--times", "1")
    assert_clean(found)
    assert {*FAULTS, "MLflow killed"} == found["faults"].keys()


@pytest.mark.cluster
def test_faults_of_a_ray_cluster():
    found = chaos("--where", "ray", "--times", "2")
    assert_clean(found)
    assert RAY_FAULTS.keys() == found["faults"].keys()
    assert all(row["runs"] >= 2 for row in found["faults"].values())
