"""MLflow's own server as a child of this process: for this machine alone, and gone with its children at the end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from jobs.errors import BadInputError, OrchardError
from jobs.secrets import mask
from orchestrator.tracking.address import PORT

_HOST = "127.0.0.1"
_START_S, _END_S = 180.0, 10.0


@contextmanager
def serving(uri: str, port: int | None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """MLflow's server on a database.

    Args:
        uri: A resolved URI. It goes to the server by the environment, since all users see command lines.
        port: The port; None: `PORT` where it is free, else any.

    Yields:
        The server's address, and its process.

    Raises:
        BadInputError: Something else has the port.
        OrchardError: The server does not start.
    """
    port = _chosen(port)
    command = [sys.executable, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port), "--workers", "1"]
    environment = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its runners are for other uses, and take long to end
    }
    with TemporaryDirectory(prefix="orchard-ui-") as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            address = f"http://{_HOST}:{port}"
            _wait(address, process, log)
            yield address, process
        finally:
            _end(process)


def _chosen(port: int | None) -> int:
    for tried in (PORT, 0) if port is None else (port,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, tried))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise BadInputError(f"--port {port}: another program has it; leave --port out to take a free one")


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    end_s = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < end_s:
        try:
            urlopen(f"{address}/health", timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    last = mask(log.read_text(errors="replace")).strip().splitlines()[-5:]
    raise OrchardError("MLflow's server does not start:\n" + "\n".join(last))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server with all its processes, which are a group of their own."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signum)
        except ProcessLookupError:
            return
        end_s = time.monotonic() + _END_S
        while time.monotonic() < end_s and _lives(process):
            time.sleep(0.05)


def _lives(process: subprocess.Popen[bytes]) -> bool:
    """Whether some process of the group is left; its leader is waited for, so that it counts no more."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
