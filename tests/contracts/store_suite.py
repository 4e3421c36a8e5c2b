"""What every store must do. A test module of an implementation imports `StoreSuite` and gives it a `store` fixture."""

import threading

import pytest

from jobs.artifact import Commit, CorruptArtifactError, Manifest, MissingArtifactError

KEY, OTHER = "ab" + "0" * 30, "cd" + "1" * 30


def manifest(key: str = KEY, **measurements: object) -> Manifest:
    return Manifest(key=key, stage="score", identity={"stage": "score"}, measurements=measurements)


class StoreSuite:
    """Subclasses define `store`, and `damage(store, key, name)`, which flips a bit of a file behind its back."""

    def test_nothing_is_there_at_first(self, store):
        assert not store.has(KEY)
        assert store.present([KEY, OTHER]) == set()

    def test_a_commit_is_read_back(self, store):
        assert store.commit(manifest(width=3), {"a.bin": b"abc", "b.bin": b""}) is Commit.FIRST
        assert store.has(KEY)
        assert store.manifest(KEY).measurements == {"width": 3}
        assert (store.read(KEY, "a.bin"), store.read(KEY, "b.bin")) == (b"abc", b"")

    def test_present_tells_the_committed_keys_of_many(self, store):
        store.commit(manifest(), {})
        assert store.present([KEY, OTHER, "ab" + "2" * 30]) == {KEY}

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

    def test_what_is_missing_is_an_error_that_names_it(self, store):
        with pytest.raises(MissingArtifactError, match=KEY):
            store.manifest(KEY)
        store.commit(manifest(), {"a": b"1"})
        with pytest.raises(MissingArtifactError, match="no file 'b'"):
            store.read(KEY, "b")

    def test_a_flipped_bit_is_detected_and_never_served(self, store):
        store.commit(manifest(), {"a": b"abc"})
        self.damage(store, KEY, "a")
        with pytest.raises(CorruptArtifactError, match=KEY):
            store.read(KEY, "a")

    def test_the_same_uri_opens_the_same_store(self, store):
        store.commit(manifest(), {"a": b"1"})
        assert self.reopen(store.uri).read(KEY, "a") == b"1"

    def test_a_log_is_kept_at_the_address_that_is_returned(self, store):
        assert store.write_log(KEY, "first") != store.write_log(KEY, "second")
