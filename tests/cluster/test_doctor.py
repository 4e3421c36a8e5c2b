"""`orchard doctor` looks into a real cluster by its dashboard."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(600)]


def doctor(environment: dict[str, str], *arguments: str) -> tuple[int, dict[str, dict]]:
    done = subprocess.run(
        [str(BIN / "orchard"), "doctor", *arguments, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout.startswith("["), done.stdout + done.stderr
    return done.returncode, {finding["check"]: finding for finding in json.loads(done.stdout)}


def test_a_worker_writes_to_the_store_and_everything_agrees(head, ray_environment, write_sweep, tiny_sweep, tmp_path):
    file = write_sweep(tiny_sweep | {"device": "cpu"})
    code, findings = doctor(
        ray_environment, str(file), "--address", head["dashboard"], "--working-dir", str(file.parent)
    )
    assert code == 0, findings
    assert findings["authentication"]["found"] == "RAY_AUTH_MODE is disabled, as in the cluster"
    assert findings["cluster"]["found"].startswith("1 workers were checked")
    assert "inside the cluster" in findings["storage"]["found"]
    assert findings["versions"]["verdict"] == findings["clocks"]["verdict"] == findings["upload"]["verdict"] == "ok"
    assert findings["mlflow"]["verdict"] == "warn"  # a file on the head's disk


def test_what_only_workers_cannot_do_is_found(head, ray_environment, write_sweep, tiny_sweep):
    file = write_sweep(tiny_sweep | {"device": "cuda", "storage": "/proc/store"})
    code, findings = doctor(ray_environment, str(file), "--address", head["dashboard"])
    assert code == 1
    assert findings["storage"]["verdict"] == "fail"
    assert findings["gpus"]["verdict"] == "fail"
