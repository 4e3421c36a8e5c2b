"""Tracking URIs: resolves them, opens MLflow clients, and gives the addresses of MLflow's pages.

An unavailable server is detected in seconds, not after MLflow's minutes of retries; a new SQLite database is created by
one process, with a write-ahead log.
"""

import fcntl
import logging
import os
import re
import shlex
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

from jobs.errors import OrchardError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQLITE = "sqlite:///"
_TIMEOUT_S = 5.0
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_MLFLOW_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the next `log_sweep` is the retry; MLflow's own take minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines and a request more for every run
}
_NOISY = ("alembic", "mlflow.store.db.utils")


class TrackingUnavailableError(OrchardError):
    """MLflow cannot be reached, or rejects a request. Nothing is lost: the store has the results."""


def unavailable(uri: str, problem: object) -> TrackingUnavailableError:
    """The error with address, problem and remedy; passwords are masked."""
    shown = re.sub(r"(//[^/@:]*):[^/@]*@", r"\1:***@", uri)
    if problem_lines := str(problem).strip().splitlines():
        problem = problem_lines[0]
    return TrackingUnavailableError(
        f"MLflow at {shown}: {problem}; nothing is lost, the store has the results. Start the server or correct "
        f"`tracking` in the sweep file, then log them with `orchard sync`"
    )


def resolved(tracking_uri: str) -> str:
    """The URI with an absolute path for an SQLite file, `~` expanded."""
    path = sqlite_path(tracking_uri)
    return f"{_SQLITE}{path}" if path else tracking_uri.rstrip("/")


def sqlite_path(tracking_uri: str) -> Path | None:
    """The database file, for an SQLite URI (`sqlite:///~/mlflow.db`)."""
    if not tracking_uri.startswith(_SQLITE):
        return None
    return Path(tracking_uri.removeprefix(_SQLITE)).expanduser().absolute()


def artifact_location(uri: str, experiment: str) -> str | None:
    """The artifact location of an experiment: beside an SQLite database; None: the server's default."""
    path = sqlite_path(uri)
    return (path.parent / "mlflow-artifacts" / quote(experiment, safe="")).as_uri() if path else None


def ui_address(uri: str, experiment_id: str) -> str:
    """The URL of an experiment's charts; for a database, the URL once `ui_command` runs."""
    return f"{_pages(uri)}/#/experiments/{experiment_id}/runs?compareRunsMode=CHART"


def version_address(uri: str, name: str, version: str) -> str:
    """The URL of a version of a registered model; for a database, the URL once `ui_command` runs."""
    return f"{_pages(uri)}/#/models/{quote(name, safe='')}/versions/{version}"


def _pages(uri: str) -> str:
    return uri if _is_server(uri) else "http://127.0.0.1:5000"


def ui_command(tracking_uri: str) -> str:
    """The shell command that serves MLflow's pages; for a server, its address."""
    uri = resolved(tracking_uri)
    if _is_server(uri):
        return uri
    mlflow = Path(sys.executable).with_name("mlflow")
    if mlflow.is_relative_to(Path.cwd()):
        mlflow = mlflow.relative_to(Path.cwd())
    return shlex.join([str(mlflow) if mlflow.exists() else "mlflow", "ui", "--backend-store-uri", uri])


@contextmanager
def opened(uri: str) -> Iterator["MlflowClient"]:
    """A client for a resolved URI; errors of MLflow inside the block are converted, too.

    Raises:
        TrackingUnavailableError: MLflow does not answer within seconds, or rejects a request.
    """
    try:
        _check_answers(uri)
        for name, value in _MLFLOW_DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except (OSError, HTTPException, ValueError, ImportError) as error:
        raise unavailable(uri, error) from error
    try:
        path = sqlite_path(uri)
        yield _sqlite_client(MlflowClient, uri, path) if path else MlflowClient(uri)
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise unavailable(uri, error) from error


@contextmanager
def as_default(uri: str) -> Iterator[None]:
    """MLflow's functions without a client, which its clients call, too, talk with this address inside the block."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None: its own default


def _is_server(uri: str) -> bool:
    return urlsplit(uri).scheme in ("http", "https")


def _check_answers(uri: str) -> None:
    parts = urlsplit(uri)
    if _is_server(uri):
        try:
            urlopen(f"{uri}/health", timeout=_TIMEOUT_S).close()
        except HTTPError as error:
            if error.code >= 500:  # below 500 the server is up; access is checked by logging
                raise
    elif parts.hostname:
        port = parts.port or _PORTS.get(parts.scheme.partition("+")[0], 0)
        socket.create_connection((parts.hostname, port), timeout=_TIMEOUT_S).close()


def _sqlite_client(client: "type[MlflowClient]", uri: str, path: Path) -> "MlflowClient":
    """A client of an SQLite database, which is created under a lock if it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in _NOISY:  # forty lines of migration on the first sweep
        logging.getLogger(name).setLevel(logging.WARNING)
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with closing(sqlite3.connect(path, timeout=_TIMEOUT_S)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # persistent; four times as many runs per second
        opened = client(uri)
        opened.search_experiments(max_results=1)  # creates the tables
    return opened
