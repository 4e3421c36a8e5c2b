"""Ray of a test's own: own ports, own HOME and temporary folder, no authentication, loopback only."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from servers import free_port

BIN = Path(sys.executable).parent


@pytest.fixture(scope="session")
def ray_environment(tmp_path_factory) -> dict[str, str]:
    """The environment of a Ray that nobody else uses."""
    kept = ("RAY_TMPDIR", "RAY_worker_niceness")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_") or name in kept}
    return {
        **inherited,
        "HOME": str(tmp_path_factory.mktemp("home")),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",  # the head of a test need not wait half a minute at its end
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def head(_heads) -> dict[str, str]:
    """A real head with a dashboard and one CPU: each job starts one process for its tasks.

    All tests share it; where one has ended its GCS, the next gets another head.
    """
    return _heads()


@pytest.fixture(scope="session")
def _heads(ray_environment) -> Iterator[Callable[[], dict[str, str]]]:
    with ExitStack() as started:
        last: dict[str, str] = {}

        def living() -> dict[str, str]:
            nonlocal last
            if not (last and _listens(last["gcs"])):
                last = started.enter_context(_head(ray_environment))
            return last

        yield living


@contextmanager
def _head(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Ended by its own group."""
    ports = {"gcs": free_port(), "dashboard": free_port()}
    with tempfile.TemporaryDirectory(prefix="orchard-ray-", dir="/tmp") as folder:  # socket paths must stay short
        command = [
            *(str(BIN / "ray"), "start", "--head", "--block", "--num-cpus=1", "--num-gpus=0"),
            *("--node-ip-address=127.0.0.1", f"--port={ports['gcs']}", f"--temp-dir={folder}"),
            *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={ports['dashboard']}"),
            *(f"--ray-client-server-port={free_port()}", f"--dashboard-agent-listen-port={free_port()}"),
            *("--include-log-monitor=false", "--no-monitor"),  # nobody is told its logs, and nothing is to grow
        ]
        log = Path(folder) / "head.log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
        address = f"http://127.0.0.1:{ports['dashboard']}"
        try:
            _await_jobs_api(address, process, log)
            yield {"dashboard": address, "gcs": f"127.0.0.1:{ports['gcs']}", "pid": str(process.pid), "folder": folder}
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def _await_jobs_api(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            raise RuntimeError(f"the head ended: {log.read_text()}")
        try:
            with urllib.request.urlopen(f"{address}/api/jobs/", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"the head did not answer within two minutes: {log.read_text()}")
