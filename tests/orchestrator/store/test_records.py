"""Records of sweeps with changed bytes: never another record, never another error."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.results.records import read_record
from orchestrator.store import open_store
from orchestrator.store.artifacts import sweep_path
from orchestrator.store.records import UnreadableRecordError, read_record_bytes, record_bytes

POINT = {"compression": 0.25, "key": "ab" * 16, "further": []}
CURVE = {"model": "net", "dataset": "digits", "method": "l1", "protocol": "none", "seed": 0, "points": [POINT, POINT]}
RECORD = {
    "name": "s",
    "spec": {"name": "s", "models": {"net": {}, "a": {}}, "budget": {"gpu_hours": 4.0}},
    "curves": [CURVE],
    "git_commit": "c0ffee",
    "versions": {"python": "3.11"},
    "environment": {"device": "cpu"},
}
UNSEALED = json.dumps(RECORD).encode()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("store"))


def test_a_record_comes_back_in_its_order(store):
    store.write_sweep("s", RECORD)
    assert json.dumps(store.read_sweep("s")) == json.dumps(RECORD)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_changed_byte_is_noticed(data):
    sealed = record_bytes(RECORD)
    place, other = data.draw(st.integers(0, len(sealed) - 1)), data.draw(st.integers(0, 255))
    changed = sealed[:place] + bytes([other]) + sealed[place + 1 :]
    if changed == sealed:
        assert read_record_bytes(changed, "s") == RECORD
    else:
        with pytest.raises(ValueError, match=r"has changed"):
            read_record_bytes(changed, "s")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(record_bytes(RECORD)) - 1))
def test_any_missing_end_is_noticed(length):
    with pytest.raises(ValueError, match=r"has changed"):
        read_record_bytes(record_bytes(RECORD)[:length], "s")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_record_of_an_earlier_version_is_read_or_refused(store, data):
    place = data.draw(st.integers(0, len(UNSEALED) - 1))
    other = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b'"{}[],:9e')))
    store.files.replace(sweep_path("s"), UNSEALED[:place] + bytes([other]) + UNSEALED[place + 1 :])
    try:
        read_record(store, "s")
    except UnreadableRecordError as error:
        assert "run its sweep file again" in str(error)  # noqa: PT017


def test_a_record_of_an_earlier_version_is_read_and_sealed_by_the_next_run(store):
    store.files.replace(sweep_path("s"), UNSEALED)
    assert store.read_sweep("s") == RECORD
    store.write_sweep("s", store.read_sweep("s"))
    assert store.files.read(sweep_path("s")) == record_bytes(RECORD)
    assert store.files.names("quarantine/sweeps") == []


def test_a_damaged_record_is_put_aside_by_the_next_run(store, caplog):
    store.files.replace(sweep_path("s"), b"{")
    store.write_sweep("s", RECORD)
    assert store.read_sweep("s") == RECORD
    assert store.files.read("quarantine/sweeps/s.json") == b"{"
    assert "the record of sweep 's' cannot be read" in caplog.text


def test_the_record_of_another_sweep_is_refused(store):
    store.files.replace(sweep_path("t"), record_bytes(RECORD))
    with pytest.raises(UnreadableRecordError, match="the record of sweep 's'"):
        store.read_sweep("t")


def test_a_record_of_a_later_version_says_what_to_do():
    content = record_bytes(RECORD)
    from orchestrator.store.seals import seal_json, unseal_json

    later = seal_json({**unseal_json(content), "version": 2})
    with pytest.raises(ValueError, match="of version 2; this Orchard reads version 1: update it"):
        read_record_bytes(later, "s")
