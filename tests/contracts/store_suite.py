"""What every store must do. A test module of an implementation imports `StoreSuite` and gives it a `store` fixture."""

import json
import threading

import pytest

from jobs.artifact import Commit, CorruptArtifactError, Manifest, MissingArtifactError
from orchestrator.status import History, read_history, reading
from orchestrator.store import Fence, Lease, LeaseHeldError, LeaseState, active_leases, cancel
from orchestrator.store.artifacts import ArtifactStore, blob_path, checkpoint_path, manifest_path
from orchestrator.store.summaries import read_summary

KEY, OTHER, THIRD = "ab" + "0" * 30, "cd" + "1" * 30, "ab" + "2" * 30


def manifest(key: str = KEY, **measurements: object) -> Manifest:
    return Manifest(
        key=key, stage="score", identity={"stage": "score"}, inputs={"network": "ef"}, measurements=measurements
    )


def flip(store: ArtifactStore, path: str, at: int = 0) -> None:
    """One bit of a file changes behind the store's back."""
    content = bytearray(store.files.read(path))
    content[at] ^= 1
    store.files.replace(path, bytes(content))


def blob_of(store: ArtifactStore, key: str, name: str) -> str:
    return blob_path(store.manifest(key).files[name].sha256)


class StoreSuite:
    """Subclasses define the fixture `store`, and `reopen(uri)`."""

    def test_nothing_is_there_at_first(self, store):
        assert not store.has(KEY)
        assert store.present([KEY, OTHER]) == set()
        assert store.manifests([KEY]) == ({}, set())

    def test_a_commit_is_read_back(self, store):
        assert store.commit(manifest(width=3), {"a.bin": b"abc", "b.bin": b""}) is Commit.FIRST
        assert store.has(KEY)
        read = store.manifest(KEY)
        assert (read.measurements, read.inputs) == ({"width": 3}, {"network": "ef"})
        assert (store.read(KEY, "a.bin"), store.read(KEY, "b.bin")) == (b"abc", b"")

    def test_present_and_manifests_tell_the_committed_keys_of_many(self, store):
        store.commit(manifest(), {"a": b"1"})
        many = [f"{number:032x}" for number in range(300)]
        assert store.present([KEY, OTHER, THIRD]) == store.present([KEY, OTHER, *many]) == {KEY}
        assert store.manifests([KEY, OTHER]) == ({KEY: store.manifest(KEY)}, set())

    def test_the_first_writer_wins_and_the_same_result_is_a_repetition(self, store):
        store.commit(manifest(width=3), {"a": b"1"})
        assert store.commit(manifest(width=3), {"a": b"1"}) is Commit.REPEATED

    def test_another_result_is_flagged_and_the_first_stands(self, store):
        store.commit(manifest(width=3), {"a": b"1"})
        assert store.commit(manifest(width=3), {"a": b"2"}) is Commit.DIFFERENT
        assert store.commit(manifest(width=4), {"a": b"1"}) is Commit.DIFFERENT
        assert (store.manifest(KEY).measurements, store.read(KEY, "a")) == ({"width": 3}, b"1")

    def test_timings_may_differ_between_runs(self, store):
        first = Manifest(key=KEY, stage="s", identity={}, measurements={}, timings={"solve_s": 1.0}, duration_s=1.0)
        second = Manifest(key=KEY, stage="s", identity={}, measurements={}, timings={"solve_s": 2.0}, duration_s=2.0)
        store.commit(first, {})
        assert store.commit(second, {}) is Commit.REPEATED

    def test_of_many_writers_at_once_one_is_first(self, store):
        results: list[Commit] = []
        barrier = threading.Barrier(8)

        def write(index: int) -> None:
            barrier.wait()
            results.append(store.commit(manifest(), {"a": b"same"}))

        threads = [threading.Thread(target=write, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [Commit.FIRST] + [Commit.REPEATED] * 7

    def test_a_half_written_artifact_is_never_seen(self, store, monkeypatch):
        def die(path, content):
            raise OSError("killed")

        with monkeypatch.context() as patch:
            patch.setattr(store.files, "create", die)
            with pytest.raises(OSError, match="killed"):
                store.commit(manifest(), {"a": b"1"})
        assert not store.has(KEY)
        assert store.present([KEY]) == set()
        assert store.commit(manifest(), {"a": b"1"}) is Commit.FIRST

    def test_what_is_missing_is_an_error_that_names_it(self, store):
        with pytest.raises(MissingArtifactError, match=KEY):
            store.manifest(KEY)
        store.commit(manifest(), {"a": b"1"})
        with pytest.raises(MissingArtifactError, match="no file 'b'"):
            store.read(KEY, "b")

    def test_a_flipped_bit_is_detected_and_never_served(self, store):
        store.commit(manifest(), {"a": b"abc"})
        flip(store, blob_of(store, KEY, "a"))
        with pytest.raises(CorruptArtifactError, match=KEY) as caught:
            store.read(KEY, "a")
        assert caught.value.key == KEY

    def test_a_missing_file_is_damage(self, store):
        store.commit(manifest(), {"a": b"abc"})
        store.files.delete(blob_of(store, KEY, "a"))
        with pytest.raises(CorruptArtifactError, match="names it as 'a'"):
            store.read(KEY, "a")

    def test_any_flipped_bit_in_a_manifest_is_detected(self, store):
        store.commit(manifest(width=3), {})
        store.commit(manifest(OTHER), {})
        whole = store.files.read(manifest_path(KEY))
        # Somewhere in the numbers, in the digest's name, in the digest, in the closing brace.
        for at in (5, whole.index(b"width") + 1, len(whole) - 80, len(whole) - 9, len(whole) - 1):
            store.files.replace(manifest_path(KEY), whole)
            flip(store, manifest_path(KEY), at)
            with pytest.raises(CorruptArtifactError, match=KEY) as caught:
                store.manifest(KEY)
            assert caught.value.key == KEY
            assert store.manifests([KEY, OTHER]) == ({OTHER: store.manifest(OTHER)}, {KEY})

    def test_a_manifest_that_lost_its_end_is_damaged(self, store):
        store.commit(manifest(), {})
        store.files.replace(manifest_path(KEY), store.files.read(manifest_path(KEY))[:-90])
        with pytest.raises(CorruptArtifactError, match="its end is missing"):
            store.manifest(KEY)

    def test_a_manifest_under_another_name_is_damage(self, store):
        store.commit(manifest(), {})
        store.files.create(manifest_path(OTHER), store.files.read(manifest_path(KEY)))
        with pytest.raises(CorruptArtifactError, match=f"the manifest of {KEY}"):
            store.manifest(OTHER)

    def test_manifests_are_plain_json(self, store):
        store.commit(manifest(width=3), {"a": b"1"})
        assert json.loads(store.files.read(manifest_path(KEY)))["measurements"] == {"width": 3}

    @pytest.mark.parametrize("damaged", ["blob", "manifest"])
    def test_after_quarantine_the_artifact_can_be_committed_again(self, store, damaged):
        store.commit(manifest(), {"a": b"abc", "b": b"whole"})
        flip(store, blob_of(store, KEY, "a") if damaged == "blob" else manifest_path(KEY))
        store.quarantine(KEY)
        assert not store.has(KEY)
        assert store.commit(manifest(), {"a": b"abc", "b": b"whole"}) is Commit.FIRST
        assert (store.read(KEY, "a"), store.read(KEY, "b")) == (b"abc", b"whole")

    def test_quarantine_keeps_what_another_artifact_needs(self, store):
        store.commit(manifest(), {"a": b"abc", "b": b"shared"})
        store.commit(manifest(OTHER), {"b": b"shared"})
        flip(store, blob_of(store, KEY, "a"))
        store.quarantine(KEY)
        assert store.read(OTHER, "b") == b"shared"

    def test_a_whole_artifact_is_not_put_aside(self, store):
        store.commit(manifest(), {"a": b"abc"})
        store.quarantine(KEY)
        store.quarantine(OTHER)
        assert store.read(KEY, "a") == b"abc"

    def test_nothing_is_published_on_top_of_a_damaged_file(self, store):
        store.commit(manifest(), {"a": b"abc"})
        flip(store, blob_of(store, KEY, "a"))
        store.commit(manifest(OTHER), {"a": b"abc"})
        assert (store.read(OTHER, "a"), store.read(KEY, "a")) == (b"abc", b"abc")

    def test_a_checkpoint_is_replaced_and_dropped(self, store):
        assert store.load_checkpoint(KEY) is None
        store.save_checkpoint(KEY, b"epoch 1")
        store.save_checkpoint(KEY, b"epoch 2")
        assert store.load_checkpoint(KEY) == b"epoch 2"
        store.drop_checkpoint(KEY)
        store.drop_checkpoint(KEY)
        assert store.load_checkpoint(KEY) is None

    def test_a_damaged_checkpoint_is_none(self, store):
        store.save_checkpoint(KEY, b"epoch 1")
        flip(store, checkpoint_path(KEY), 40 - 4)
        assert store.load_checkpoint(KEY) is None
        store.files.replace(checkpoint_path(KEY), b"short")
        assert store.load_checkpoint(KEY) is None

    def test_the_same_uri_opens_the_same_store(self, store):
        store.commit(manifest(), {"a": b"1"})
        assert self.reopen(store.uri).read(KEY, "a") == b"1"

    def test_a_log_is_kept_at_the_address_that_is_returned(self, store):
        first = store.write_log(KEY, "first")
        assert first != store.write_log(KEY, "second")
        assert store.files.read(first.removeprefix(f"{store.uri}/")) == b"first"

    def test_keys_are_found_by_their_beginning(self, store):
        store.commit(manifest(), {})
        assert (store.find("ab"), store.find(KEY[:9]), store.find("ac")) == ([KEY], [KEY], [])

    def test_a_sweep_is_kept_and_replaced(self, store):
        first, second = ({"name": "s", "spec": {}, "curves": [], "git_commit": commit} for commit in "ab")
        store.write_sweep("s", first)
        store.write_sweep("s", second)
        assert (store.read_sweep("s"), store.sweeps()) == (second, ["s"])

    def test_a_missing_sweep_names_those_that_are_there(self, store):
        store.write_sweep("here", {})
        with pytest.raises(MissingArtifactError, match="no sweep 'there'; did you mean 'here'"):
            store.read_sweep("there")

    def test_a_journal_is_read_driver_by_driver(self, store):
        for driver in ("1", "2"):
            with store.open_journal("s", driver) as journal:
                journal.append("start", term=int(driver))
                journal.flush()
                journal.append("avoided", node="n")
        entries = [(entry["kind"], entry.get("term")) for entry in store.read_journal("s")]
        assert entries == [("start", 1), ("avoided", None), ("start", 2), ("avoided", None)]
        assert list(store.read_journal("another")) == []

    def test_a_journal_is_read_on_from_its_summary(self, store, monkeypatch):
        monkeypatch.setattr(reading, "LINES_BEYOND", 1)
        for number in range(3):
            with store.open_journal("s", f"{number}") as journal:
                journal.append("start", term=number)
                journal.append("avoided", node="n")
            assert read_history(store.files, "s") == History.of(store.read_journal("s"))
            assert len(read_summary(store.files, "s").read) == number + 1
        assert read_history(store.files, "s").runs == 3

    def test_a_store_keeps_the_identity_that_the_first_one_made(self, store):
        assert store.identity() is None
        made = store.make_identity()
        assert (store.make_identity(), store.identity(), len(made)) == (made, made, 32)
        assert self.reopen(store.uri).make_identity() == made

    def test_a_sweep_has_one_driver(self, store):
        first = Lease.acquire(store.files, "s", ttl_s=0.4)
        second = Lease.acquire(store.files, "s", ttl_s=0.4)  # the first is silent, and so it is followed
        assert first.renew() is LeaseState.LOST
        assert not Fence(store.files, first.term).may_commit()
        assert Fence(store.files, second.term).may_commit()
        assert second.renew(priority=2) is LeaseState.HELD
        assert [(held.term, held.info) for held in active_leases(store.files)] == [(second.term, {"priority": 2})]

    def test_a_driver_that_lives_keeps_its_sweep(self, store):
        with Lease.acquire(store.files, "s", ttl_s=60) as lease:
            with pytest.raises(LeaseHeldError, match="orchard cancel s"):
                Lease.acquire(store.files, "s", sleep=lambda seconds: lease.renew())
            cancel(store.files, "s")
            assert lease.renew() is LeaseState.CANCELLED
            assert Fence(store.files, lease.term).should_stop()
        assert cancel(store.files, "s") is None
        assert active_leases(store.files) == []
