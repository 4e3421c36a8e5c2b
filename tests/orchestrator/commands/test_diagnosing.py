"""`orchard doctor` on this machine, without a cluster."""

import json

import pytest
from click.testing import CliRunner
from servers import free_port

from orchestrator.cli import cli


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")


def test_a_machine_that_is_well_ends_with_zero(write_sweep, tiny_sweep):
    done = CliRunner().invoke(cli, ["doctor", str(write_sweep(tiny_sweep | {"device": "cpu"})), "--json"])
    assert done.exit_code == 0, done.output
    findings = {finding["check"]: finding for finding in json.loads(done.output)}
    assert {"authentication", "mlflow", "storage", "disk space", "gpus", "versions"} == set(findings)
    assert findings["storage"]["verdict"] == "ok"


def test_a_run_that_would_fail_ends_with_one_and_says_what_to_do(write_sweep, tiny_sweep, tmp_path):
    (tmp_path / "file").write_text("in the way")
    file = write_sweep(tiny_sweep | {"device": "cpu", "storage": str(tmp_path / "file" / "store")})
    done = CliRunner().invoke(cli, ["doctor", str(file)])
    assert done.exit_code == 1
    assert "fail  storage" in done.output
    assert "to do: give every node the same folder" in done.output


def test_a_cluster_that_is_away_fails_and_this_machine_is_examined_instead(write_sweep, tiny_sweep):
    address = f"http://127.0.0.1:{free_port()}"
    file = write_sweep(tiny_sweep | {"device": "cpu"})
    done = CliRunner().invoke(cli, ["doctor", str(file), "--address", address, "--working-dir", str(file.parent)])
    assert done.exit_code == 1
    assert f"fail  cluster         {address}" in done.output
    assert "ok    upload" in done.output
    assert "ok    storage" in done.output
