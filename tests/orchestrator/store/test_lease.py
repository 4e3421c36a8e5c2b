import os
import subprocess
import sys
import tempfile
from dataclasses import replace

import pytest
from dict_files import DictFiles
from files_suite import FilesSuite
from idle_clock import Clock

from orchestrator.store import (
    Fence,
    Lease,
    LeaseHeldError,
    LeaseState,
    LeaseTerm,
    Watch,
    active_leases,
    cancel,
)
from orchestrator.store.lease import live_leases
from orchestrator.store.terms import read_lease

TTL_S = 30.0


class TestDictFiles(FilesSuite):
    @pytest.fixture
    def files(self):
        return DictFiles()


@pytest.fixture
def files():
    return DictFiles()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def acquire(files, clock):
    def acquire(sweep: str = "s", sleep=None) -> Lease:
        return Lease.acquire(files, sweep, ttl_s=TTL_S, clock=clock, sleep=sleep or clock.sleep)

    return acquire


def test_terms_are_numbered_from_one(acquire):
    with acquire() as first:
        assert first.term == LeaseTerm(sweep="s", number=1)
    assert acquire().term.number == 2


def test_a_released_sweep_is_free_at_once(acquire, clock):
    acquire().release()
    acquire()
    assert clock.now_s == 0


def test_a_silent_holder_is_followed_after_its_time_to_live(acquire, clock):
    first = acquire()
    second = acquire()
    assert TTL_S <= clock.now_s < TTL_S + 1
    assert (first.renew(), second.renew()) == (LeaseState.LOST, LeaseState.HELD)


def test_a_holder_that_gives_a_sign_is_not_waited_for(acquire, clock):
    holder = acquire()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now_s > 5:
            holder.renew()

    with pytest.raises(LeaseHeldError, match=f"process {os.getpid()} on .* since .* `orchard cancel s "):
        acquire(sleep=sleep)
    assert clock.now_s < 10
    assert holder.renew() is LeaseState.HELD


def test_of_two_that_wait_for_a_dead_holder_one_gets_the_sweep(acquire, clock):
    acquire()
    others: list[Lease] = []

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now_s > TTL_S - 0.6 and not others:
            others.append(acquire())

    with pytest.raises(LeaseHeldError):
        acquire(sleep=sleep)
    assert others[0].renew() is LeaseState.HELD


def test_a_holder_whose_process_is_gone_is_followed_at_once(files, clock, acquire):
    script = (
        "import sys; from orchestrator.store import Lease; from orchestrator.store.files import FolderFiles\n"
        "lease = Lease.acquire(FolderFiles(sys.argv[1]), 's'); print(lease._record.to_bytes().decode())"
    )
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True)
    term = LeaseTerm(sweep="s", number=1)
    files.create(term.path, done.stdout.encode())
    if not read_lease(files, term).process:
        pytest.skip("this system does not tell its processes apart")
    assert acquire().term.number == 2
    assert clock.now_s == 0


def test_another_machine_with_the_same_process_number_is_not_taken_for_dead(files, clock, acquire):
    holder = acquire()
    elsewhere = replace(holder._record, process="other-boot pid:[1] 1 1", pid=1)
    files.replace(holder.term.path, elsewhere.to_bytes())
    acquire()
    assert clock.now_s >= TTL_S


def test_the_waiting_time_is_the_holders_own(files, clock):
    Lease.acquire(files, "s", ttl_s=100, clock=clock, sleep=clock.sleep)
    Lease.acquire(files, "s", ttl_s=1, clock=clock, sleep=clock.sleep)
    assert clock.now_s >= 100


def test_a_create_whose_answer_was_lost_is_recognised(files, acquire, monkeypatch):
    create = files.create
    monkeypatch.setattr(files, "create", lambda path, content: create(path, content) and False)
    assert acquire().renew() is LeaseState.HELD


def test_a_damaged_term_counts_and_is_followed(files, clock, acquire):
    files.create(LeaseTerm(sweep="s", number=3).path, b"{torn")
    assert acquire().term.number == 4
    assert clock.now_s >= TTL_S


def test_a_cancelled_driver_learns_it_and_the_next_is_not_cancelled(files, acquire):
    lease = acquire()
    assert cancel(files, "s").term == lease.term
    assert lease.renew() is LeaseState.CANCELLED
    lease.release()
    assert acquire().renew() is LeaseState.HELD


def test_there_may_be_nothing_to_cancel(files, acquire):
    assert cancel(files, "s") is None
    acquire().release()
    assert cancel(files, "s") is None


def test_a_store_that_is_away_for_too_long_ends_a_lease(files, clock, acquire, monkeypatch):
    lease = acquire()

    def away(*arguments):
        raise OSError("no route to host")

    with monkeypatch.context() as patch:
        patch.setattr(files, "names", away)
        clock.now_s = TTL_S
        assert lease.renew() is LeaseState.HELD
        clock.now_s = TTL_S + 1
        assert lease.renew() is LeaseState.LOST
    assert lease.renew() is LeaseState.LOST


def test_a_full_disk_ends_no_lease_unless_another_follows(files, clock, acquire, monkeypatch):
    lease = acquire()

    def full(path, content):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "replace", full)
        clock.now_s = 3 * TTL_S
        assert lease.renew() is LeaseState.HELD
        acquire()
        assert lease.renew() is LeaseState.LOST


def test_a_driver_that_has_lost_releases_nothing(files, acquire):
    first, second = acquire(), acquire()
    first.release()
    assert second.renew() is LeaseState.HELD
    assert [held.term for held in active_leases(files)] == [second.term]


def test_workers_ask_at_most_once_a_second_whether_to_stop(files, clock, acquire):
    lease = acquire()
    fence = Fence(files, lease.term, clock)
    assert not fence.should_stop()
    cancel(files, "s")
    clock.now_s += 0.9
    assert not fence.should_stop()
    clock.now_s += 0.2
    assert fence.should_stop()


def test_a_cancelled_term_may_still_commit_what_is_done(files, acquire):
    lease = acquire()
    cancel(files, "s")
    assert Fence(files, lease.term).may_commit()


def test_a_store_that_is_away_stops_no_work_but_no_commit_is_allowed(files, acquire, monkeypatch):
    fence = Fence(files, acquire().term)

    def away(*arguments):
        raise OSError("no route to host")

    monkeypatch.setattr(files, "names", away)
    assert not fence.should_stop()
    with pytest.raises(OSError, match="no route"):
        fence.may_commit()


def test_a_watch_tells_who_lives(files, clock, acquire):
    lease = acquire()
    watch = Watch(clock)

    def alive() -> bool:
        (held,) = active_leases(files)
        return watch.alive(held)

    assert alive()
    clock.now_s += TTL_S - 1
    assert alive()
    clock.now_s += 2
    assert not alive()
    lease.renew()
    assert alive()


def test_the_living_are_told_from_the_dead(files, clock, acquire):
    silent, beating, ended = acquire("silent"), acquire("beating"), acquire("ended")
    ended.release()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        beating.renew()

    assert [held.term.sweep for held in live_leases(files, clock=clock, sleep=sleep)] == ["beating"]
    assert clock.now_s >= TTL_S
    assert silent.renew() is LeaseState.HELD


def test_what_drivers_tell_each_other_is_read_back(files, acquire):
    acquire("a").renew(priority=3, demand={"cpu": 8})
    acquire("b")
    assert [(held.term.sweep, held.info) for held in active_leases(files)] == [
        ("a", {"priority": 3, "demand": {"cpu": 8}}),
        ("b", {}),
    ]


def test_a_driver_that_tells_nonsense_is_alive_all_the_same(files, acquire):
    lease = acquire("a")
    lease.renew(demand={"cpu": -1e-16})
    (held,) = active_leases(files)
    assert (held.owner, held.beat, held.info) == (read_lease(files, lease.term).owner, 1, {})
    assert held.owner
