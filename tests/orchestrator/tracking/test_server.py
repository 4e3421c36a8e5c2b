"""`orchard ui` as a process, with a program in MLflow's place that answers at once and has a child of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from servers import free_port

from jobs.errors import BadInputError, OrchardError
from orchestrator.tracking.server import serving

STAND_IN = """
import os, signal, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
Path(os.environ["NOTES"]).write_text(f"{os.environ['MLFLOW_BACKEND_STORE_URI']}\\n{sys.argv}\\n{child.pid}")

class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"OK")

HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Health).serve_forever()
"""


@pytest.fixture
def notes(tmp_path, monkeypatch) -> Path:
    """What the program in MLflow's place writes down; it is there for processes that are started from here."""
    package = tmp_path / "stand-in" / "mlflow"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    return tmp_path / "notes"


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_says_the_address_and_ends_with_all_its_processes(notes, tmp_path, signum):
    port, uri = free_port(), f"sqlite:///{tmp_path}/mlflow.db"
    command = [sys.executable, "-m", "orchestrator.cli", "ui", "--no-browser", "--port", str(port), "--tracking", uri]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        lines = [process.stdout.readline().strip() for _ in range(3)]
        assert lines == ["starting MLflow ...", f"MLflow: http://127.0.0.1:{port}/#/experiments", "Ctrl-C ends it."]
        assert urlopen(f"http://127.0.0.1:{port}/health").status == 200
        process.send_signal(signum)
        assert process.wait(60) == 0
    database, arguments, child = notes.read_text().splitlines()
    assert database == uri
    assert "'--host', '127.0.0.1'" in arguments
    assert uri not in arguments  # where all users of the machine would see it
    assert not is_alive(int(child))


def test_a_port_that_is_taken_is_refused_and_without_one_a_free_one_is_taken(notes, monkeypatch):
    taken = free_port()
    monkeypatch.setattr("orchestrator.tracking.server.PORT", taken)
    with serving("sqlite:///a.db", None) as (first, _), serving("sqlite:///b.db", None) as (second, _):
        assert first == f"http://127.0.0.1:{taken}"
        assert second != first
        with pytest.raises(BadInputError, match="another program has it"), serving("sqlite:///c.db", taken):
            pass


def test_a_server_that_does_not_start_says_why_without_a_password(notes):
    program = Path(os.environ["PYTHONPATH"]) / "mlflow" / "__main__.py"
    program.write_text("raise SystemExit('no such database: postgresql://me:s3cret@h/db')")
    begun = time.monotonic()
    with pytest.raises(OrchardError, match=r"no such database: postgresql://me:\*\*\*@h"), serving("x", None):
        pass
    assert time.monotonic() - begun < 60
