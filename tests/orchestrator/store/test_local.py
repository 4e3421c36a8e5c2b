import json
from pathlib import Path

import pytest
from store_suite import KEY, StoreSuite, manifest

from jobs.artifact import Commit, CorruptArtifactError, MissingArtifactError
from jobs.errors import BadInputError
from orchestrator.store import LocalStore, open_store, resolve_storage


class TestLocalStore(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path):
        return LocalStore(tmp_path / "store")

    def reopen(self, uri):
        return open_store(uri)

    def damage(self, store, key, name):
        blob = store._blob_path(store.manifest(key).files[name].sha256)
        content = bytearray(blob.read_bytes())
        content[0] ^= 1
        blob.write_bytes(content)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


def test_equal_contents_are_stored_once(store):
    store.commit(manifest(), {"a": b"same", "b": b"same"})
    assert len([path for path in (store.root / "blobs").rglob("*") if path.is_file()]) == 1


def test_a_writer_that_dies_before_its_manifest_leaves_no_artifact(store, monkeypatch):
    def die(*arguments):
        raise OSError("killed")

    monkeypatch.setattr("os.link", die)
    with pytest.raises(OSError, match="killed"):
        store.commit(manifest(), {"a": b"1"})
    monkeypatch.undo()
    assert not store.has(KEY)
    assert store.commit(manifest(), {"a": b"1"}) is Commit.FIRST


def test_a_truncated_manifest_is_corrupt(store):
    store.commit(manifest(), {})
    path = Path(store._manifest_path(KEY))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CorruptArtifactError, match="not a manifest"):
        store.manifest(KEY)


def test_a_blob_that_lost_its_end_is_written_again(store):
    store.commit(manifest(), {"a": b"abc"})
    store._blob_path(store.manifest(KEY).files["a"].sha256).write_bytes(b"a")
    store.commit(manifest("ef" + "3" * 30), {"a": b"abc"})
    assert store.read(KEY, "a") == b"abc"


def test_no_temporary_file_stays(store):
    store.commit(manifest(), {"a": b"1"})
    store.commit(manifest(), {"a": b"1"})
    assert not list(store.root.rglob(".*"))


def test_keys_are_found_by_their_beginning(store):
    store.commit(manifest(), {})
    assert (store.find("ab"), store.find(KEY[:9]), store.find("ac")) == ([KEY], [KEY], [])


def test_a_sweep_is_kept_and_replaced(store):
    store.write_sweep("s", {"a": 1})
    store.write_sweep("s", {"a": 2})
    assert (store.read_sweep("s"), store.sweeps()) == ({"a": 2}, ["s"])


def test_a_missing_sweep_names_those_that_are_there(store):
    store.write_sweep("here", {})
    with pytest.raises(MissingArtifactError, match="sweeps here: here"):
        store.read_sweep("there")


def test_the_log_is_a_file(store):
    assert Path(store.write_log(KEY, "what happened")).read_text() == "what happened"


def test_manifests_are_plain_json(store):
    store.commit(manifest(width=3), {"a": b"1"})
    assert json.loads(Path(store._manifest_path(KEY)).read_text())["measurements"] == {"width": 3}


def test_an_unsupported_scheme_is_refused():
    with pytest.raises(BadInputError, match="s3://"):
        resolve_storage("s3://bucket/x")


def test_the_home_folder_and_relative_paths_become_absolute(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir(tmp_path)
    assert resolve_storage("~/store") == "/home/someone/store"
    assert resolve_storage("file:///data/store") == "/data/store"
    assert resolve_storage("store") == str(tmp_path / "store")
