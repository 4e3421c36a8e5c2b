"""Real servers for tests, on loopback and on ports of their own; each is ended by its own handle."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mlflow_server(backend_store_uri: str, *arguments: str) -> Iterator[str]:
    """An MLflow server; its address."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # its job runners take half a minute
    process = subprocess.Popen([*command, "--backend-store-uri", backend_store_uri, *arguments], env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_up(address)
        yield address
    finally:
        process.terminate()
        process.wait(90)


def _wait_until_up(address: str) -> None:
    for _ in range(300):
        try:
            urlopen(f"{address}/health", timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no server at {address} after a minute")
