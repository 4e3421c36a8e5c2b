"""The lease of a running driver: real leases in a folder, heartbeats every few milliseconds."""

import os
import signal

import pytest
from waiting import until

from orchestrator.driver.lease import CANCELLED, LOST, TERMINATED, DriverLease
from orchestrator.store import Lease, LeaseHeldError, LeaseTerm, cancel, open_store


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path))


def lease_on(store, sweep="sweep", **changes) -> DriverLease:
    return DriverLease(store, Lease.acquire(store.files, sweep), beat_s=0.01, **changes)


def test_nobody_else_gets_the_sweep_until_it_is_released(store):
    with lease_on(store) as lease:
        assert lease.reason == ""
        with pytest.raises(LeaseHeldError, match=f"process {os.getpid()}"):
            Lease.acquire(store.files, "sweep")
    assert Lease.acquire(store.files, "sweep").term == LeaseTerm(sweep="sweep", number=2)


def test_a_driver_whose_heartbeats_have_stopped_commits_nothing_beside_its_successor(store):
    lease = DriverLease(store, Lease.acquire(store.files, "sweep"))  # no heartbeat: it was never entered
    assert lease.may_commit()
    store.files.create(LeaseTerm(sweep="sweep", number=2).path, b"{}")
    assert not lease.may_commit()
    assert lease.lost


def test_a_cancelled_sweep_is_a_request_to_stop_with_time_to_do_it(store):
    with lease_on(store) as lease:
        cancel(store.files, "sweep")
        until(lease.should_stop)
        assert (lease.reason, lease.hurried, lease.overdue()) == (CANCELLED, False, False)
        assert lease.may_commit()


def test_a_driver_that_was_followed_may_write_nothing_more(store):
    with lease_on(store) as lease:
        successor = LeaseTerm(sweep="sweep", number=2)
        assert store.files.create(successor.path, b"{}")
        until(lease.should_stop)
        assert (lease.reason, lease.lost, lease.hurried, lease.may_commit()) == (LOST, True, True, False)
        assert lease.overdue()  # no time is given


def test_sigterm_is_a_request_to_stop_and_its_handler_goes_away_again(store):
    before = signal.getsignal(signal.SIGTERM)
    with lease_on(store) as lease:
        with lease.stopping_on_sigterm():
            os.kill(os.getpid(), signal.SIGTERM)
            until(lease.should_stop)
        assert (lease.reason, lease.hurried) == (TERMINATED, True)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stop_after_a_cancel_makes_it_hurry(store):
    with lease_on(store) as lease:
        lease.stop(CANCELLED)
        lease.stop(TERMINATED)
        lease.stop(CANCELLED)
        assert lease.reason == TERMINATED


def test_the_drivers_of_one_cluster_see_what_each_other_wants(store):
    with lease_on(store, "mine", priority=1) as mine, lease_on(store, "other") as other, lease_on(store, "far") as far:
        mine.tell(cluster="c", demand={"gpu": 8.0})
        other.tell(cluster="c", demand={"gpu": 3.0})
        far.tell(cluster="elsewhere", demand={"gpu": 99.0})
        until(lambda: len(mine.claims("gpu")) == 2)
        until(lambda: mine.claims("gpu")[1].demand == 3.0)
        claims = [(claim.sweep, claim.priority, claim.demand) for claim in mine.claims("gpu")]
        assert claims == [("mine", 1, 8.0), ("other", 0, 3.0)]
    with lease_on(store, "mine") as again:
        again.tell(cluster="c", demand={})
        assert len(again.claims("gpu")) == 1  # the other has ended


def test_a_driver_that_was_followed_stops_its_own_tasks_only(store):
    lease = DriverLease(store, Lease.acquire(store.files, "sweep"))
    store.files.create(LeaseTerm(sweep="sweep", number=2).path, b"{}")
    lease.stop(TERMINATED)  # before it knows that it was followed
    lease.ask_tasks_to_stop()
    assert store.files.exists(lease.term.cancel_path)
    assert not store.files.exists(LeaseTerm(sweep="sweep", number=2).cancel_path)


def test_it_can_look_before_its_next_heartbeat(store):
    lease = DriverLease(store, Lease.acquire(store.files, "sweep"))
    cancel(store.files, "sweep")
    assert not lease.should_stop()
    lease.look()
    assert lease.reason == CANCELLED
