"""Tracking URIs: resolves them, opens MLflow clients, and gives the addresses of MLflow's pages.

An unavailable server is detected in seconds, not after MLflow's minutes of retries; a new SQLite database is created by
one process, with a write-ahead log.
"""

import fcntl
import logging
import os
import shlex
import socket
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

from jobs.errors import BadInputError, OrchardError
from jobs.secrets import fill, mask
from orchestrator.executables import typed
from orchestrator.private import make_private_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

FIRST_VIEW = "orchard-compression"
"""The id of the saved view that addresses open."""

_SQLITE = "sqlite:///"
PORT = 5000
"""Where `orchard ui` serves a database, if the port is free."""
_TIMEOUT_S = 5.0
_MAKING_S, _MAKING_LOCK = 60, 0x6F726368617264
"""How long to wait for another process that makes tables; the number of the lock in the database for that."""
_NO_DRIVER = ("http", "https", "sqlite", "file")
_DRIVERS = {
    "postgresql": ("psycopg2", "orchard[postgresql]"),
    "postgresql+psycopg2": ("psycopg2", "orchard[postgresql]"),
    "postgresql+psycopg": ("psycopg", "psycopg[binary]"),
    "mysql": ("MySQLdb", "mysqlclient"),
    "mysql+mysqldb": ("MySQLdb", "mysqlclient"),
    "mysql+pymysql": ("pymysql", "pymysql"),
    "mssql+pyodbc": ("pyodbc", "pyodbc"),
    "mssql+pymssql": ("pymssql", "pymssql"),
}
"""Scheme of a database -> the module that SQLAlchemy imports for it, and what brings it."""
_CHOSEN = {"postgresql://": "postgresql+psycopg2://"}
"""What an address that names no driver means. SQLAlchemy chose psycopg2 up to version 2.0, and another one since."""
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_MLFLOW_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the next `log_sweep` is the retry; MLflow's own take minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # a proxy may ask for hours, and MLflow knows no limit
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines and a request more for every run
}
_USER_VARIABLES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
_NOISY = {"alembic": logging.WARNING, "mlflow.store.db.utils": logging.CRITICAL}
"""What of the loggers is shown: no forty lines of migration on the first sweep, no traceback of what we report."""


class TrackingUnavailableError(OrchardError):
    """MLflow cannot be reached, or rejects a request. Nothing is lost: the store has the results."""


def unavailable(uri: str, problem: object) -> TrackingUnavailableError:
    """The error with address, problem and remedy; passwords are masked."""
    if problem_lines := str(problem).strip().splitlines():
        problem = problem_lines[0]
    return TrackingUnavailableError(
        f"MLflow at {mask(uri)}: {mask(str(problem))}; nothing is lost, the store has the results. Start the server or "
        f"correct `tracking` in the sweep file, then log them with `orchard sync`"
    )


def resolved(tracking_uri: str) -> str:
    """The URI with its variables filled in, the driver of a database, and an absolute path for SQLite, `~` expanded.

    It is for MLflow's clients; `shown` is what may be printed or written.

    Raises:
        BadInputError: A variable is not set, or the password is masked.
    """
    uri = fill(tracking_uri, "tracking")
    if path := sqlite_path(uri):
        return f"{_SQLITE}{path}"
    scheme = next((each for each in _CHOSEN if uri.startswith(each)), "")
    return f"{_CHOSEN.get(scheme, '')}{uri.removeprefix(scheme)}".rstrip("/")


def check_usable(tracking_uri: str) -> None:
    """Check before anything runs that results can be logged with this URI, as far as this machine alone can tell.

    Raises:
        BadInputError: A variable is not set, the password is masked, or the driver of the database is not installed.
    """
    uri = resolved(tracking_uri)
    if not uri.strip():
        raise BadInputError(
            "tracking: is empty; give a database (sqlite:///PATH) or a server of MLflow (http://HOST:PORT)"
        )
    scheme, separator, _ = uri.partition("://")
    if not separator or scheme in _NO_DRIVER:
        return
    if scheme not in _DRIVERS:
        raise BadInputError(
            f"tracking: '{scheme}://' is not supported; give the address of a server (http://, https://), or of a "
            f"database: {', '.join(f'{name}://' for name in ('sqlite', *_DRIVERS))}"
        )
    package, install = _DRIVERS[scheme]
    if find_spec(package) is None:
        raise BadInputError(
            f"tracking: {scheme}:// needs the package {package}, which is not installed here; install it where drivers "
            f"run: pip install {shlex.quote(install)}, or name a server of MLflow (http://HOST:PORT)"
        )


def shown(tracking_uri: str) -> str:
    """The URI as it may be shown: variables are not filled in, passwords are masked."""
    path = sqlite_path(tracking_uri)
    return f"{_SQLITE}{path}" if path and "${" not in tracking_uri else mask(tracking_uri.rstrip("/"))


def sqlite_path(tracking_uri: str) -> Path | None:
    """The database file, for an SQLite URI (`sqlite:///~/mlflow.db`)."""
    if not tracking_uri.startswith(_SQLITE):
        return None
    return Path(tracking_uri.removeprefix(_SQLITE)).expanduser().absolute()


def artifact_location(uri: str, experiment: str, storage: str = "") -> str | None:
    """The artifact location of an experiment; None: the server's default.

    Args:
        uri: A resolved URI. Beside an SQLite database, the files of experiments lie next to it.
        experiment: Its name.
        storage: URI of the sweep's store, which has those of a database that is reached directly; where that is no
            folder, the home folder has them.
    """
    path, storage = sqlite_path(uri), fill(storage, "storage")
    if is_server(uri) or (path is None and urlsplit(uri).scheme not in _DRIVERS):
        return None
    folder = path.parent if path else Path.home() / ".orchard" if "://" in storage or not storage else Path(storage)
    return (folder.expanduser().absolute() / "mlflow-artifacts" / quote(experiment, safe="")).as_uri()


def ui_address(uri: str, experiment_id: str, view: str | None = FIRST_VIEW) -> str:
    """The URL of an experiment's charts, in a saved view; for a database, the URL once `orchard ui` serves it."""
    return f"{pages(uri)}/#{view_path(experiment_id, view)}"


def view_path(experiment_id: str, view: str | None) -> str:
    """Where the charts of an experiment are within MLflow's pages; versions before 3.16 pass the view over."""
    share = f"&viewStateShareKey={view}" if view else ""
    return f"/experiments/{experiment_id}/runs?compareRunsMode=CHART{share}"


def version_address(uri: str, name: str, version: str) -> str:
    """The URL of a version of a registered model; for a database, the URL once `orchard ui` serves it."""
    return f"{pages(uri)}/#/models/{quote(name, safe='')}/versions/{version}"


def pages(uri: str) -> str:
    """The address of MLflow's pages: a server's, without user and password; for a database, while it is served."""
    return _without_user(uri)[0] if is_server(uri) else f"http://127.0.0.1:{PORT}"


def ui_command(sweep: str, storage: str, tracking_uri: str, *, is_default: bool = True) -> str | None:
    """The shell command that serves MLflow's pages of a sweep; None for a server, which runs already.

    Args:
        sweep: The sweep's name.
        storage: URI of its store.
        tracking_uri: MLflow's tracking URI. It is shown with variables, and no password.
        is_default: Whether it is the sweep's own.
    """
    if is_server(resolved(tracking_uri)):
        return None
    command = f"{typed('orchard')} ui {sweep} --storage {shlex.quote(storage)}"
    if is_default:
        return command
    place = shown(tracking_uri)
    quoted = f'"{place}"' if "${" in place else shlex.quote(place)  # so that the shell fills its variables in
    return f"{command} --tracking {quoted}"


@contextmanager
def opened(uri: str) -> Iterator["MlflowClient"]:
    """A client for a resolved URI; errors of MLflow inside the block are converted, too.

    Raises:
        TrackingUnavailableError: MLflow does not answer within seconds, rejects a request, or cannot be used from here
            (`check_usable`).
    """
    try:
        check_usable(uri)
        _check_answers(uri)
        for name, value in _MLFLOW_DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except (OSError, HTTPException, ValueError, ImportError, BadInputError) as error:
        raise unavailable(uri, error) from error
    try:
        path = sqlite_path(uri)
        with _signed_in(uri) as server:
            if is_server(uri):
                yield MlflowClient(server)
            else:
                yield _sqlite_client(MlflowClient, uri, path) if path else _database_client(MlflowClient, uri)
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise unavailable(uri, error) from error


@contextmanager
def as_default(uri: str) -> Iterator[None]:
    """MLflow's functions without a client, which its clients call, too, talk with this address inside the block."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(_without_user(uri)[0] if is_server(uri) else uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None: its own default


def is_server(uri: str) -> bool:
    """Whether it is the address of a server, and not a database."""
    return urlsplit(uri).scheme in ("http", "https")


def _without_user(uri: str) -> tuple[str, tuple[str, str] | None]:
    """A server's address without user and password, and these two, where it has them."""
    parts = urlsplit(uri)
    if parts.username is None:
        return uri, None
    user = unquote(parts.username), unquote(parts.password or "")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), user


@contextmanager
def _signed_in(uri: str) -> Iterator[str]:
    """A server's address without user and password, which MLflow's clients take from the environment only."""
    server, user = _without_user(uri) if is_server(uri) else (uri, None)
    before = {name: os.environ.get(name) for name in _USER_VARIABLES}
    if user is not None:
        os.environ.update(zip(_USER_VARIABLES, user, strict=True))
    try:
        yield server
    finally:
        for name, value in before.items():
            if value is not None:
                os.environ[name] = value
            elif user is not None:
                os.environ.pop(name, None)


def _check_answers(uri: str) -> None:
    parts = urlsplit(uri)
    if is_server(uri):
        try:
            server, user = _without_user(uri)
            request = Request(f"{server}/health")
            if user is not None:
                request.add_header("Authorization", f"Basic {b64encode(':'.join(user).encode()).decode()}")
            urlopen(request, timeout=_TIMEOUT_S).close()
        except HTTPError as error:
            if error.code >= 500:  # below 500 the server is up; access is checked by logging
                raise
    elif parts.hostname:
        port = parts.port or _PORTS.get(parts.scheme.partition("+")[0], 0)
        socket.create_connection((parts.hostname, port), timeout=_TIMEOUT_S).close()


def _sqlite_client(client: "type[MlflowClient]", uri: str, path: Path) -> "MlflowClient":
    """A client of an SQLite database, which is created under a lock if it does not exist, for its owner alone."""
    make_private_file(path)
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with closing(sqlite3.connect(path, timeout=_TIMEOUT_S)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # persistent; four times as many runs per second
        return _with_tables(client, uri)


def _database_client(client: "type[MlflowClient]", uri: str) -> "MlflowClient":
    """A client of a database on a server, whose tables one process at a time makes if there are none.

    A connection of our own comes first: whatever the server answers to one of MLflow's, that is tried for 100 s.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    timeout = {} if uri.startswith("mssql") else {"connect_timeout": round(_TIMEOUT_S)}
    with create_engine(uri, poolclass=NullPool, connect_args=timeout).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"set local lock_timeout = '{_MAKING_S}s'"))
            connection.execute(text(f"select pg_advisory_xact_lock({_MAKING_LOCK})"))
        return _with_tables(client, uri)


def _with_tables(client: "type[MlflowClient]", uri: str) -> "MlflowClient":
    """A client of a database; MLflow makes its tables at the first question."""
    for name, level in _NOISY.items():
        logging.getLogger(name).setLevel(level)
    opened = client(uri)
    opened.search_experiments(max_results=1)
    return opened
