"""What garbage collection and verification hold of a store whose manifests are large."""

import tracemalloc

import pytest
from dict_files import DictFiles

from jobs.artifact import Manifest
from orchestrator.store import verification
from orchestrator.store.artifacts import ArtifactStore
from orchestrator.store.catalog import Catalog
from orchestrator.store.verification import verify

COUNT, MANIFEST_BYTES, HELD_BYTES = 300, 20_000, 1_000


@pytest.fixture(scope="module")
def store():
    store = ArtifactStore(DictFiles())
    for number in range(COUNT):
        key, before = f"{number:032x}", f"{number - 1:032x}"
        manifest = Manifest(
            key=key,
            stage="score",
            identity={"stage": "score"},
            inputs={"network": before} if number else {},
            measurements={"text": f"{number}" * (MANIFEST_BYTES // 3)},
        )
        store.commit(manifest, {"own": key.encode(), "shared": b"the same for all"})
    return store


def peak_bytes(action) -> int:
    action()  # caches and imports
    tracemalloc.start()
    kept = action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kept is not None
    return peak


def test_a_catalog_knows_inputs_and_digests(store):
    catalog = Catalog(store)
    key, before = f"{7:032x}", f"{6:032x}"
    digests = {bytes.fromhex(file.sha256) for file in store.manifest(key).files.values()}
    assert (key in catalog, catalog.stage(key), catalog.inputs(key)) == (True, "score", (before,))
    assert set(catalog.digests(key)) == digests
    assert catalog.manifest(key) == store.manifest(key)
    assert ("none" in catalog, catalog.inputs("none"), catalog.manifest("none")) == (False, (), None)


@pytest.mark.parametrize("action", [Catalog, verify])
def test_little_is_held_of_each_artifact(store, action, monkeypatch):
    monkeypatch.setattr(verification, "_AT_ONCE", 10)
    assert peak_bytes(lambda: action(store)) < COUNT * HELD_BYTES + 30 * MANIFEST_BYTES
