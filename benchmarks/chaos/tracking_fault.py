"""MLflow's server, or PostgreSQL below it, is killed while sweeps are logged, and is back for the next driver."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

from benchmarks.chaos.arena import Arena
from benchmarks.chaos.postgresql import Postgres
from orchestrator.results import METRICS
from orchestrator.tracking.address import resolved

COMPRESSIONS = 80
"""With two models, a sweep into PostgreSQL has 322 points."""


def mlflow_killed(arena: Arena) -> None:
    """Kill -9 of the server at a moment of the sweep or of its logging; the sweep goes on, nothing is logged twice."""
    with _server(f"sqlite:///{arena.database}", arena.root) as (server, address):
        arena.tracking = address
        pid = arena.start()
        arena.await_progress(arena.draw.randrange(1, 60))
        time.sleep(arena.draw.uniform(0.0, 2.0))
        os.killpg(server, signal.SIGKILL)
        if arena.wait(pid) != 0:
            raise RuntimeError(f"the sweep did not go on without MLflow: {arena.root / 'driver.log'}")
    arena.tracking = ""


@contextmanager
def postgresql_killed(served: Arena, direct: Arena, postgres: Postgres) -> Iterator[None]:
    """Kill -9 of PostgreSQL while two sweeps are logged to it, one by a server of MLflow; inside the block it is back.

    Args:
        served: The sweep that goes by the server.
        direct: The sweep that goes to the database itself.
        postgres: The database server, with an MLflow database for each of the two, as `counted` says.
    """
    with _server(resolved(served.tracking), served.root) as (_, address):
        served.tracking = address
        drivers = {arena.root: arena.start() for arena in (served, direct)}
        total = sum(len(METRICS) * len(curve.points) for arena in (served, direct) for curve in arena.plan.curves)
        _await_rows((served, direct), direct.draw.randrange(1, total))
        postgres.kill()
        for root, pid in drivers.items():
            if direct.wait(pid) != 0:
                raise RuntimeError(f"the sweep did not go on without PostgreSQL: {root / 'driver.log'}")
        postgres.start()
        yield


def _await_rows(arenas: tuple[Arena, ...], least: int) -> None:
    import psycopg2

    for _ in range(1200):
        with suppress(psycopg2.errors.UndefinedTable):
            if sum(arena.counted("metrics") for arena in arenas if arena.counted) >= least:
                return
        time.sleep(0.1)
    raise TimeoutError(f"no rows: {arenas[0].root / 'driver.log'}")


@contextmanager
def _server(uri: str, folder: Path) -> Iterator[tuple[int, str]]:
    """A server on loopback in a process group of its own: the group, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=log, stderr=log, cwd=folder, start_new_session=True
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
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


__all__ = ["COMPRESSIONS", "mlflow_killed", "postgresql_killed"]
