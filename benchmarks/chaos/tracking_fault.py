"""MLflow's server is killed while a sweep is logged to it, and is back for the next driver."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

from benchmarks.chaos.arena import Arena, kill


def mlflow_killed(arena: Arena) -> None:
    """Kill -9 of the server at a moment of the sweep or of its logging; the sweep goes on, nothing is logged twice."""
    with _server(arena) as (server, address):
        arena.tracking = address
        pid = arena.start()
        arena.await_progress(arena.draw.randrange(1, 60))
        time.sleep(arena.draw.uniform(0.0, 2.0))
        os.killpg(server, 9)
        if arena.wait(pid) != 0:
            raise RuntimeError(f"the sweep did not go on without MLflow: {arena.root / 'driver.log'}")
    arena.tracking = ""


@contextmanager
def _server(arena: Arena) -> Iterator[tuple[int, str]]:
    """A server on loopback in a process group of its own: the group, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (arena.root / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--backend-store-uri", f"sqlite:///{arena.database}"],
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=log,
            stderr=log,
            cwd=arena.root,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urlopen(f"{address}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield process.pid, address
    finally:
        kill(process.pid)
        process.wait()


__all__ = ["mlflow_killed"]
