import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from store_suite import blob_of, flip
from stored_sweeps import stored_sweep

from jobs.errors import BadInputError, OrchardError
from jobs.stages.table import StageKind
from orchestrator.commands.maintenance import collect_garbage, verify
from orchestrator.driver.lease import DriverLease
from orchestrator.store import Lease, open_store
from orchestrator.store.artifacts import checkpoint_path, manifest_path, sweep_path
from orchestrator.store.claim import acquire_unclaimed

METHODS = {"l1": {"kind": "criterion", "criterion": "l1"}, "integral": {"kind": "integral"}}


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def sweep(store, tiny_sweep, tmp_path):
    return stored_sweep(store, {**tiny_sweep, "methods": METHODS}, tmp_path / "sweep.yaml")


@pytest.fixture
def other(store, tiny_sweep, tmp_path):
    """Shares the trained and converted networks, the scores and the permutation with `sweep`."""
    changed = {**tiny_sweep, "name": "other", "methods": METHODS, "compressions": [0.5]}
    return stored_sweep(store, changed, tmp_path / "other.yaml")


def age(store, hours: float = 48) -> None:
    """Make everything that is in the store old."""
    then = time.time() - 3600 * hours
    for path in Path(store.uri).rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def gc(store, *, delete: bool = True, older_than_hours: float = 24, forget: tuple[str, ...] = ()) -> None:
    collect_garbage(store.uri, delete=delete, older_than_hours=older_than_hours, forget=forget)


class TestVerify:
    def test_a_whole_store_is_said_to_be_whole(self, store, sweep, capsys):
        assert verify(store.uri, repair=False) == 0
        count = len(sweep.tasks)
        assert f"{count} artifacts, {count + 1} files; 0 artifacts damaged" in capsys.readouterr().out

    def test_damage_of_every_kind_is_listed(self, store, sweep, capsys):
        first, second, third, *_ = sweep.tasks
        flip(store, blob_of(store, first, "own"))
        store.files.delete(blob_of(store, second, "own"))
        flip(store, manifest_path(third))
        assert verify(store.uri, repair=False) == 1
        out = capsys.readouterr().out
        assert f"{first}: {sweep.tasks[first].stage} {sweep.tasks[first].label}: missing or changed: own" in out
        assert f"{second}: " in out
        assert f"{third}: its manifest is damaged" in out
        assert "3 artifacts damaged" in out

    def test_a_file_that_many_share_damages_them_all(self, store, sweep, capsys):
        flip(store, blob_of(store, next(iter(sweep.tasks)), "shared"))
        assert verify(store.uri, repair=False) == 1
        assert f"{len(sweep.tasks)} artifacts damaged" in capsys.readouterr().out

    def test_what_was_repaired_is_missing_and_the_rest_is_whole(self, store, sweep):
        first, second, *_ = sweep.tasks
        flip(store, blob_of(store, first, "own"))
        flip(store, manifest_path(second))
        assert verify(store.uri, repair=True) == 0
        assert store.present(sweep.tasks) == sweep.tasks.keys() - {first, second}
        assert verify(store.uri, repair=False) == 0

    def test_files_of_no_artifact_are_counted(self, store, sweep, capsys):
        store.files.delete(manifest_path(next(iter(sweep.tasks))))
        assert verify(store.uri, repair=False) == 0
        assert "1 (0.0 MB) belong to no artifact" in capsys.readouterr().out

    def test_a_damaged_record_is_named_and_stays_for_the_next_run(self, store, sweep, other, capsys):
        flip(store, sweep_path("tiny"))
        for repair in (False, True):
            assert verify(store.uri, repair=repair) == 1
            assert "the record of sweep 'tiny' cannot be read" in capsys.readouterr().out
        store.write_sweep("tiny", sweep.record.to_json())
        assert verify(store.uri, repair=False) == 0

    def test_lines_of_a_journal_that_cannot_be_read_are_counted_and_are_no_damage(self, store, sweep, capsys):
        with store.open_journal("tiny", "d") as journal:
            journal.append("start", term=1)
            journal.append("stard", term=1)
        assert verify(store.uri, repair=False) == 0
        assert "journal of 'tiny': 1 lines cannot be read" in capsys.readouterr().out


class TestGarbage:
    def test_what_recorded_sweeps_need_stays(self, store, sweep, other, capsys):
        age(store)
        gc(store)
        assert store.present(sweep.tasks | other.tasks) == sweep.tasks.keys() | other.tasks.keys()
        assert "artifacts:              0 (0.0 MB)" in capsys.readouterr().out
        assert verify(store.uri, repair=False) == 0

    def test_a_forgotten_sweeps_own_results_go_and_what_others_share_stays(self, store, sweep, other):
        age(store)
        gc(store, forget=("tiny",))
        assert store.sweeps() == ["other"]
        assert store.present(sweep.tasks | other.tasks) == other.tasks.keys()
        for key in other.tasks:
            assert (store.read(key, "own"), store.read(key, "shared")) == (key.encode(), b"the same for all")
        assert len(list(store.files.walk("blobs"))) == len(other.tasks) + 1

    def test_a_dry_run_changes_nothing(self, store, sweep, capsys):
        age(store)
        gc(store, delete=False, forget=("tiny",))
        assert store.present(sweep.tasks) == sweep.tasks.keys()
        out = capsys.readouterr().out
        assert f"artifacts:              {len(sweep.tasks)} " in out
        assert "nothing was deleted; add --delete to delete it" in out
        assert store.sweeps() == ["tiny"]

    def test_what_is_young_stays(self, store, sweep):
        age(store, hours=23)
        gc(store, forget=("tiny",))
        assert store.present(sweep.tasks) == sweep.tasks.keys()
        gc(store, older_than_hours=22)
        assert store.present(sweep.tasks) == set()

    def test_an_unfinished_sweep_keeps_what_its_next_run_reads(self, store, sweep):
        for key in sweep.keys(StageKind.EVALUATE) | sweep.keys(StageKind.PERMUTE):
            store.files.delete(manifest_path(key))
        kept = store.present(sweep.tasks)
        age(store)
        gc(store)
        assert store.present(sweep.tasks) == kept

    def test_an_unfinished_sweep_of_unknown_needs_keeps_every_artifact(self, store, sweep, other, capsys):
        store.files.delete(manifest_path(next(iter(sweep.keys(StageKind.EVALUATE)))))
        store.write_sweep("tiny", {**sweep.record.to_json(), "environment": {}})
        age(store)
        gc(store, forget=("other",))
        assert other.tasks.keys() <= store.present(other.tasks)
        assert "all artifacts are kept" in capsys.readouterr().out

    def test_leftovers_go_and_what_is_in_use_stays(self, store, sweep):
        done, gone = next(iter(sweep.tasks)), "f" * 32
        waiting = next(iter(sweep.keys(StageKind.EVALUATE)))
        store.files.delete(manifest_path(waiting))
        for key in (done, gone, waiting):
            store.save_checkpoint(key, b"state")
            store.write_log(key, "text")
        store.files.create("manifests/ab/.ab.json.tmp", b"half")
        store.files.create("journal/forgotten/1.jsonl", b"{}\n")
        store.files.create("journal/tiny/1.jsonl", b"{}\n")
        age(store)
        gc(store)
        assert [entry.path for entry in store.files.walk("checkpoints")] == [checkpoint_path(waiting)]
        assert sorted(store.files.names("logs/" + done) + store.files.names("logs/" + waiting)) != []
        assert list(store.files.walk(f"logs/{gone}")) == []
        assert [entry.path for entry in store.files.walk("journal")] == ["journal/tiny/1.jsonl"]
        assert not [entry for entry in store.files.walk("manifests") if entry.temporary]

    def test_the_newest_term_of_a_lease_stays(self, store, sweep):
        for _ in range(3):
            Lease.acquire(store.files, "tiny").release()
        age(store)
        gc(store)
        assert store.files.names("leases/tiny") == ["00000003.json"]
        assert Lease.acquire(store.files, "tiny").term.number == 4

    def test_beside_a_running_driver_what_is_younger_than_it_stays(self, store, sweep, other, monkeypatch, capsys):
        began_an_hour_ago = replace(Lease.acquire(store.files, "other")._record, since_s=time.time() - 3600)
        monkeypatch.setattr("orchestrator.commands.maintenance.live_leases", lambda files: [began_an_hour_ago])
        age(store, hours=24.5)  # a day before now, but not a day before the driver began
        gc(store, forget=("tiny",))
        assert store.present(sweep.tasks) == sweep.tasks.keys()
        assert "running now" in capsys.readouterr().out

    def test_beside_a_damaged_record_every_artifact_stays_and_the_rest_is_cleared(self, store, sweep, other, capsys):
        flip(store, sweep_path("tiny"))
        store.files.create("journal/tiny/1.jsonl", b"{}\n")
        store.files.create("manifests/ab/.ab.json.tmp", b"half")
        age(store)
        gc(store, forget=("other",))
        assert store.present(sweep.tasks | other.tasks) == sweep.tasks.keys() | other.tasks.keys()
        assert "all artifacts are kept: " in capsys.readouterr().out
        assert [entry.path for entry in store.files.walk("journal")] == ["journal/tiny/1.jsonl"]
        assert not [entry for entry in store.files.walk("manifests") if entry.temporary]

    def test_a_sweep_whose_record_is_damaged_can_be_forgotten(self, store, sweep, other):
        flip(store, sweep_path("tiny"))
        age(store)
        gc(store, forget=("tiny",))
        assert store.sweeps() == ["other"]
        assert store.present(sweep.tasks | other.tasks) == other.tasks.keys()

    def test_a_running_sweep_cannot_be_forgotten(self, store, sweep, monkeypatch):
        lease = Lease.acquire(store.files, "tiny")
        monkeypatch.setattr("orchestrator.commands.maintenance.live_leases", lambda files: [lease._record])
        with pytest.raises(BadInputError, match="orchard cancel tiny"):
            gc(store, forget=("tiny",))

    def test_damaged_manifests_are_repaired_first(self, store, sweep):
        flip(store, manifest_path(next(iter(sweep.tasks))))
        with pytest.raises(OrchardError, match="verify --repair"):
            gc(store)

    def test_a_sweep_that_begins_meanwhile_stops_it(self, store, sweep, monkeypatch):
        age(store)

        def begin(*arguments):
            store.write_sweep("new", {**sweep.record.to_json(), "name": "new"})
            return clearable(*arguments)

        from orchestrator.commands import maintenance

        clearable = maintenance.clearable
        monkeypatch.setattr(maintenance, "clearable", begin)
        with pytest.raises(OrchardError, match="recorded meanwhile"):
            gc(store, forget=("tiny",))
        assert store.present(sweep.tasks) == sweep.tasks.keys()

    def test_no_sweep_begins_while_it_deletes(self, store, sweep, monkeypatch):
        from orchestrator.commands import maintenance

        age(store)
        clear, waited = maintenance.clear, []

        def begin_and_clear(*arguments):
            def sleep(seconds):
                waited.append(seconds)
                raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                acquire_unclaimed(store.files, "tiny", sleep=sleep)
            clear(*arguments)

        monkeypatch.setattr(maintenance, "clear", begin_and_clear)
        gc(store, forget=("tiny",))
        assert waited
        assert acquire_unclaimed(store.files, "tiny").term.number == 1

    def test_a_driver_that_has_not_said_yet_what_it_needs_keeps_every_artifact(self, store, sweep, other, capsys):
        age(store)
        with DriverLease(store, Lease.acquire(store.files, "other"), beat_s=0.05) as lease:
            gc(store, older_than_hours=-1, forget=("tiny",))
            assert "it is unknown what these need: other (starting)" in capsys.readouterr().out
            assert store.present(sweep.tasks) == sweep.tasks.keys()
            with store.open_journal("other", "d") as journal:
                journal.append("start", term=lease.term.number)
            gc(store, older_than_hours=-1)
        assert store.present(sweep.tasks | other.tasks) == other.tasks.keys()

    def test_a_file_that_a_commit_took_up_again_stays(self, store, sweep, monkeypatch):

        age(store)
        key = next(iter(sweep.tasks))
        blob = blob_of(store, key, "own")
        from orchestrator.commands import maintenance

        clear = maintenance.clear

        def commit_and_clear(*arguments):
            store._keep_blob(blob.rpartition("/")[2], key.encode())
            clear(*arguments)

        monkeypatch.setattr(maintenance, "clear", commit_and_clear)
        gc(store, forget=("tiny",))
        assert [entry.path for entry in store.files.walk("blobs")] == [blob]
