import os
import time
from dataclasses import replace

import pytest
from store_suite import KEY, OTHER, StoreSuite, blob_of, flip, manifest

from jobs.artifact import Commit, Manifest
from orchestrator.store import open_store
from orchestrator.store.artifacts import FRESH_S, manifest_path
from orchestrator.store.seals import seal_json


class TestInAFolder(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path):
        return open_store(tmp_path / "store")

    def reopen(self, uri):
        return open_store(uri)


class TestInAnObjectStore(StoreSuite):
    @pytest.fixture
    def store(self, s3_uri):
        store = open_store(s3_uri)
        store._cache = None  # the suite changes files behind the store's back
        return store

    def reopen(self, uri):
        return open_store(uri)


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def test_equal_contents_are_stored_once(store):
    store.commit(manifest(), {"a": b"same", "b": b"same"})
    assert len(list(store.files.walk("blobs"))) == 1


def test_an_old_file_that_is_committed_again_becomes_young(store, tmp_path):
    """So that cleaning up, which spares what is young, does not take it from under the new artifact."""
    store.commit(manifest(), {"a": b"1"})
    old = time.time() - 2 * FRESH_S
    os.utime(tmp_path / "store" / blob_of(store, KEY, "a"), (old, old))
    store.commit(manifest(OTHER), {"a": b"1"})
    assert store.files.stat(blob_of(store, KEY, "a")).modified_s > time.time() - FRESH_S


def test_a_second_read_from_an_object_store_comes_from_this_machine(s3_uri, monkeypatch):
    store = open_store(s3_uri)
    store.commit(manifest(), {"a": b"abc"})
    asked = []
    monkeypatch.setattr(store, "read_blob", asked.append)
    assert store.read(KEY, "a") == b"abc"
    assert not asked


def test_a_damaged_copy_on_this_machine_is_fetched_again(s3_uri, tmp_path):
    store = open_store(s3_uri)
    store.commit(manifest(), {"a": b"abc"})
    (copy,) = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    copy.write_bytes(b"abd")
    assert store.read(KEY, "a") == b"abc"
    assert copy.read_bytes() == b"abc"


def test_an_object_store_may_be_damaged_where_this_machine_has_a_whole_copy(s3_uri):
    """The copy is served, for it has the digest; who asks the store itself sees the damage."""
    store = open_store(s3_uri)
    store.commit(manifest(), {"a": b"abc"})
    flip(store, blob_of(store, KEY, "a"))
    assert store.read(KEY, "a") == b"abc"
    assert store.damaged_files(store.manifest(KEY)) == ["a"]


def test_what_a_later_version_added_to_a_manifest_is_neither_damage_nor_lost(store):
    """A store is shared by drivers and nodes that are updated one after the other."""
    store.commit(manifest(width=3), {"a": b"1"})
    value = store.manifest(KEY).to_json()
    value = {**value, "later": 1, "files": {"a": {**value["files"]["a"], "later": 2}}}
    store.files.replace(manifest_path(KEY), seal_json(value))
    assert store.manifest(KEY) == Manifest.from_json(value)
    assert store.read(KEY, "a") == b"1"
    assert store.commit(manifest(width=3), {"a": b"1"}) is Commit.REPEATED
    store.quarantine(KEY)
    assert store.files.read(manifest_path(KEY)) == seal_json(value)


@pytest.mark.parametrize("damaged", [blob_of, lambda store, key, name: manifest_path(key)])
def test_who_looked_before_a_repair_leaves_what_was_repaired(store, tmp_path, damaged):
    store.commit(manifest(), {"a": b"1"})
    flip(store, damaged(store, KEY, "a"))
    slow = open_store(tmp_path / "store")
    reads = []

    def read(path):
        content = slow_read(path)
        reads.append(path)
        if len(reads) == (2 if damaged is blob_of else 1):
            store.quarantine(KEY)
            store.commit(replace(manifest(), created_s=1.0), {"a": b"1"})
        return content

    slow_read, slow.files.read = slow.files.read, read
    slow.quarantine(KEY)
    assert (store.manifest(KEY).created_s, store.read(KEY, "a")) == (1.0, b"1")


def test_a_manifest_from_before_processors_were_kept_is_read(store):
    value = manifest().to_json()
    del value["processor"]
    store.files.create(manifest_path(KEY), seal_json(value))
    assert store.manifest(KEY).processor == {}
