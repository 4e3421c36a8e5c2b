"""The claim on a store, with drivers that start at every moment around it."""

import logging

import pytest
from dict_files import DictFiles

from orchestrator.store import Lease, LeaseHeldError, LeaseTerm, active_leases
from orchestrator.store.claim import acquire_claim, acquire_unclaimed
from orchestrator.store.terms import CLAIM


def test_a_driver_waits_until_the_claim_is_released(caplog):
    files = DictFiles()
    claim = acquire_claim(files)
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        assert active_leases(files) == []  # it must not look like a driver that runs
        if len(waits) == 3:
            claim.release()

    with caplog.at_level(logging.WARNING, "orchard"):
        lease = acquire_unclaimed(files, "s", sleep=sleep)
    assert (len(waits), lease.term.number) == (3, 1)
    assert caplog.text.count("waiting for `orchard gc --delete`") == 1


def test_a_claim_that_comes_between_look_and_lease_is_seen(monkeypatch):
    files = DictFiles()
    acquire, claims = Lease.acquire, []

    def claimed_meanwhile(files, sweep, **options):
        lease = acquire(files, sweep, **options)
        if not claims:
            claims.append(acquire(files, CLAIM))
            assert [each.term.sweep for each in active_leases(files)] == ["s"]  # what the collector sees
        return lease

    monkeypatch.setattr(Lease, "acquire", claimed_meanwhile)
    lease = acquire_unclaimed(files, "s", sleep=lambda seconds: claims[0].release())
    assert lease.term.number == 2
    assert [each.term.sweep for each in active_leases(files)] == ["s"]


def test_a_claim_of_a_dead_process_holds_no_one_up():
    files, now = DictFiles(), [0.0]
    acquire_claim(files)
    files.replace(LeaseTerm(sweep=CLAIM, number=1).path, b"damaged")  # of an unknown process
    acquire_unclaimed(files, "s", clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert 30 <= now[0] < 32


def test_there_is_one_claim():
    files, now = DictFiles(), [0.0]
    claim = acquire_claim(files)
    with pytest.raises(LeaseHeldError):
        Lease.acquire(files, CLAIM, clock=lambda: now[0], sleep=lambda seconds: claim.renew())
