"""What is seen of a cluster, or of one that lets nobody in."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from servers import free_port

from orchestrator.doctor.cluster import RefusedError, UnreachableError, probe_by_dashboard, upload_sizes
from orchestrator.doctor.facts import ProbeRequest
from orchestrator.doctor.uploading import EXCLUDES

REQUEST = ProbeRequest(storage="/tmp", tracking="sqlite:///unused.db", gpus=False)


class Refusing(BaseHTTPRequestHandler):
    """A dashboard that wants a token, as Ray's answers."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b"Unauthorized: Missing authentication token")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def refusing_dashboard() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_dashboard_that_wants_a_token_is_known_by_its_refusal(refusing_dashboard):
    with pytest.raises(RefusedError, match="Missing authentication token"):
        probe_by_dashboard(refusing_dashboard, REQUEST)


def test_an_address_where_nobody_answers_is_not_taken_for_a_refusal():
    with pytest.raises(UnreachableError) as caught:
        probe_by_dashboard(f"http://127.0.0.1:{free_port()}", REQUEST)
    assert not isinstance(caught.value, RefusedError)


def test_the_upload_is_measured_as_ray_packs_it(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "objects").write_bytes(b"x" * 1000)
    (tmp_path / ".gitignore").write_text("scratch/\n")
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "big.bin").write_bytes(b"x" * 1000)
    (tmp_path / "net.pt").write_bytes(b"x" * 1000)
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_bytes(b"x" * 30)
    assert upload_sizes(str(tmp_path), EXCLUDES) == {"sweeps/mine.yaml": 30, ".gitignore": 9}
