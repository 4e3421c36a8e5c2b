"""Looking around on this machine, for real."""

import platform

from servers import free_port

from orchestrator.doctor.facts import ProbeRequest
from orchestrator.doctor.probe import probe_host, tracking_problem


def probe(storage: str):
    return probe_host(ProbeRequest(storage=storage, tracking="sqlite:///unused.db", gpus=False))


def test_a_folder_that_can_be_written_to_is_left_empty(tmp_path):
    machine = probe(str(tmp_path / "store"))
    assert machine.storage_problem == ""
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
    assert machine.free_bytes > 0


def test_a_store_that_cannot_be_made_is_told_with_its_reason(tmp_path):
    (tmp_path / "file").write_text("in the way")
    machine = probe(str(tmp_path / "file" / "store"))
    assert "is a file; give a folder" in machine.storage_problem


def test_an_unknown_kind_of_store_is_told_with_what_is_allowed():
    machine = probe("ftp://host/store")
    assert "'ftp://' is not supported" in machine.storage_problem
    assert machine.free_bytes is None


def test_versions_are_those_of_this_process():
    versions = probe("/tmp").versions
    assert versions["python"] == platform.python_version()
    assert set(versions) == {"python", "ray", "torch", "orchard"}


def test_looking_makes_no_database(tmp_path):
    assert tracking_problem(f"sqlite:///{tmp_path}/new/mlflow.db") == ""
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_told():
    assert "refused" in tracking_problem(f"http://127.0.0.1:{free_port()}")


def test_what_it_should_see_and_does_not_is_named(tmp_path):
    there, gone = str(tmp_path), str(tmp_path / "net.pt")
    request = ProbeRequest(storage=there, tracking="sqlite:///unused.db", gpus=False, locations=(there, gone, "~"))
    assert probe_host(request).missing == (gone,)
