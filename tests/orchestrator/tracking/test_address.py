"""What a tracking URI means, against real databases and servers that are not there."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient
from servers import free_port
from tracked_curves import log, make_curve, runs_of

from jobs.errors import BadInputError
from orchestrator.doctor.probe import tracking_problem
from orchestrator.tracking import TrackingUnavailableError, ui_command
from orchestrator.tracking.address import artifact_location, check_usable, pages, resolved


def test_a_fresh_database_has_a_write_ahead_log(tmp_path):
    path = tmp_path / "new" / "mlflow.db"
    log(f"sqlite:///{path}", make_curve())
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_home_is_written_out(tmp_path, monkeypatch, database):
    monkeypatch.setenv("HOME", str(tmp_path))
    log("sqlite:///~/mlflow.db", make_curve())
    assert len(runs_of(database)) == 1


@pytest.mark.slow
def test_two_processes_make_one_database(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    code = (
        "import sys; from orchestrator.results import SweepRecord; from orchestrator.tracking import log_sweep\n"
        "log_sweep(SweepRecord(name=sys.argv[2], spec={}, curves=()), [], tracking_uri=sys.argv[1])"
    )
    root = Path(__file__).parents[3]
    processes = [subprocess.Popen([sys.executable, "-c", code, uri, name], cwd=root) for name in ("one", "two")]
    assert [process.wait(120) for process in processes] == [0, 0]
    names = {experiment.name for experiment in MlflowClient(uri).search_experiments()}
    assert {"one", "two"} <= names


def test_a_server_that_is_not_there_is_found_out_at_once():
    start = time.monotonic()
    with pytest.raises(TrackingUnavailableError) as caught:
        log(f"http://127.0.0.1:{free_port()}", make_curve())
    assert time.monotonic() - start < 30  # not the minutes of MLflow's own retries
    for words in ("http://127.0.0.1:", "refused", "orchard sync"):  # where, what was found, what to do
        assert words in str(caught.value)


def test_a_server_that_says_nothing_is_given_up_in_seconds():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        accepted = threading.Thread(target=mute.accept, daemon=True)
        accepted.start()
        start = time.monotonic()
        with pytest.raises(TrackingUnavailableError):
            log(f"http://127.0.0.1:{mute.getsockname()[1]}", make_curve())
        assert time.monotonic() - start < 60


def test_a_database_server_that_is_not_there_hides_its_password():
    with pytest.raises(TrackingUnavailableError) as caught:
        log(f"postgresql://me:secret@127.0.0.1:{free_port()}/mlflow", make_curve())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("uri", ["sqlite:////proc/no/mlflow.db", "nonsense://here", "http://host:port"])
def test_an_address_that_cannot_be_used_is_one_error(uri):
    with pytest.raises(TrackingUnavailableError, match="orchard sync"):
        log(uri, make_curve())


def test_a_file_that_is_no_database_is_one_error(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is text, and more of it than a header would be: " * 20)
    with pytest.raises(TrackingUnavailableError, match="not a database"):
        log(f"sqlite:///{tmp_path}/mlflow.db", make_curve())


def test_what_to_type_for_the_ui():
    assert ui_command("quick", "/a store", "http://host:5000/") is None  # it runs already
    assert ui_command("quick", "/a store", "sqlite:///~/mlflow.db").endswith("ui quick --storage '/a store'")
    other = ui_command("quick", "/s", "sqlite:///~/a folder/mlflow.db", is_default=False)
    assert other.endswith(f"--storage /s --tracking 'sqlite:///{Path.home()}/a folder/mlflow.db'")


def test_importing_the_package_imports_no_mlflow():
    code = "import sys, orchestrator.tracking, orchestrator.report; print({'mlflow', 'matplotlib'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


class _Guarded(BaseHTTPRequestHandler):
    """A server that lets one user in, and has no experiments."""

    def do_GET(self):
        known = self.headers["Authorization"] == "Basic " + b64encode(b"me:p@ss").decode()
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *arguments):
        """Say nothing."""


def test_user_and_password_of_a_server_are_used_and_leave_no_trace(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "another")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{server.server_port}"
        assert tracking_problem(f"http://me:p%40ss@{place}") == ""
        assert "http://me:***@" in tracking_problem(f"http://me:wrong@{place}")
        server.shutdown()
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "another"
    assert "MLFLOW_TRACKING_PASSWORD" not in os.environ
    assert pages(f"http://me:p%40ss@{place}") == f"http://{place}"


class _Overloaded(BaseHTTPRequestHandler):
    """A server whose proxy lets `/health` pass, and asks all else to come back in an hour."""

    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 503)
        self.send_header("Retry-After", "3600")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_): ...


def test_a_server_that_asks_for_hours_is_not_waited_for(monkeypatch):
    slept = []
    monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=slept.append, time=time.time))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Overloaded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(TrackingUnavailableError, match="nothing is lost"):
            log(f"http://127.0.0.1:{server.server_port}", make_curve())
        server.shutdown()
    assert sum(slept) < 30


def test_the_command_for_a_database_has_variables_and_no_password(monkeypatch):
    monkeypatch.setenv("PW", "planted")
    typed = [ui_command("s", "/s", f"postgresql://me:{word}@h/db", is_default=False) for word in ("${PW}", "planted")]
    assert typed[0].endswith('--tracking "postgresql://me:${PW}@h/db"')
    assert typed[1].endswith("--tracking 'postgresql://me:***@h/db'")


def test_a_database_is_reached_by_the_driver_that_the_extra_brings_whatever_sqlalchemy_prefers():
    assert resolved("postgresql://me@h/db") == "postgresql+psycopg2://me@h/db"
    for other in ("postgresql+psycopg://me@h/db", "mysql://me@h/db", "http://postgresql://x"):
        assert resolved(other) == other


def test_an_address_that_no_one_can_use_is_refused():
    with pytest.raises(BadInputError, match="tracking: is empty; give a database"):
        check_usable("")
    with pytest.raises(BadInputError, match="'ftp://' is not supported; give the address of a server"):
        check_usable("ftp://host")


def test_the_files_of_a_database_lie_where_its_user_looks_for_them(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    assert artifact_location("sqlite:////data/mlflow.db", "s") == "file:///data/mlflow-artifacts/s"
    database = "postgresql://me@h/db"
    assert artifact_location(database, "s", str(tmp_path)) == f"file://{tmp_path}/mlflow-artifacts/s"
    assert artifact_location(database, "s", "s3://bucket/x") == "file:///home/me/.orchard/mlflow-artifacts/s"
    assert artifact_location("http://host:5000", "s", str(tmp_path)) is None
