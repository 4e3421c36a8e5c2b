"""Leases in any order of steps, and with any byte of theirs changed."""

from contextlib import suppress

import pytest
from dict_files import DictFiles
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from idle_clock import Clock

from orchestrator.store import (
    Fence,
    Lease,
    LeaseHeldError,
    LeaseRecord,
    LeaseState,
    LeaseTerm,
    Watch,
    cancel,
)
from orchestrator.store.lease import _held_by
from orchestrator.store.terms import newest_term, read_lease

TTL_S = 30.0


class Drivers(RuleBasedStateMachine):
    """Three drivers on hosts with clocks of their own, in any order of steps; some pause, some lose the store."""

    def __init__(self) -> None:
        super().__init__()
        self.files = DictFiles()
        self.clocks = [Clock() for _ in range(3)]
        self.leases: list[Lease | None] = [None] * 3
        self.terms: list[LeaseTerm] = []
        self.released: set[LeaseTerm] = set()

    @rule(who=st.integers(0, 2), fast=st.floats(0.1, 10))
    def acquire(self, who: int, fast: float) -> None:
        """Tries to take the sweep, with a clock that runs faster or slower than the holder's would."""
        if self.leases[who] is not None:
            return
        clock = self.clocks[who]
        try:
            lease = Lease.acquire(self.files, "s", ttl_s=TTL_S, clock=clock, sleep=lambda s: clock.sleep(fast * s))
        except LeaseHeldError:
            return
        self.leases[who] = lease
        self.terms.append(lease.term)

    @rule(who=st.integers(0, 2), passed_s=st.floats(0, 100))
    def renew(self, who: int, passed_s: float) -> None:
        self.clocks[who].now_s += passed_s
        lease = self.leases[who]
        if lease is not None:
            state = lease.renew(step=1)
            newest, _ = newest_term(self.files, "s")
            assert (state is LeaseState.LOST) == (newest != lease.term)
            if state is LeaseState.LOST:
                self.leases[who] = None

    @rule(who=st.integers(0, 2))
    def release(self, who: int) -> None:
        lease = self.leases[who]
        if lease is not None:
            lease.release()
            self.leases[who] = None

    @rule(who=st.integers(0, 2))
    def die(self, who: int) -> None:
        self.leases[who] = None

    @rule()
    def ask_to_cancel(self) -> None:
        cancel(self.files, "s")

    @invariant()
    def numbers_are_never_used_twice(self) -> None:
        assert [term.number for term in self.terms] == list(range(1, len(self.terms) + 1))

    @invariant()
    def only_the_newest_term_may_commit(self) -> None:
        allowed = [term for term in self.terms if Fence(self.files, term).may_commit()]
        assert allowed == self.terms[-1:]


TestDrivers = Drivers.TestCase
TestDrivers.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_two_drivers_that_interleave_at_every_request_never_both_hold(data):
    """Hypothesis chooses, before each request of the first to the store, whether the second takes all its steps."""
    files, clock = DictFiles(), Clock()
    winners: list[Lease] = []
    at_work = True

    def second() -> None:
        with suppress(LeaseHeldError):
            winners.append(Lease.acquire(files, "s", ttl_s=TTL_S, clock=clock, sleep=clock.sleep))

    class Interrupted(DictFiles):
        def names(self, folder):
            self.maybe()
            return files.names(folder)

        def read(self, path):
            self.maybe()
            return files.read(path)

        def create(self, path, content):
            self.maybe()
            return files.create(path, content)

        def replace(self, path, content):
            self.maybe()
            files.replace(path, content)

        def maybe(self):
            if at_work and len(winners) < 3 and data.draw(st.booleans()):
                second()

    with suppress(LeaseHeldError):
        first = Lease.acquire(Interrupted(), "s", ttl_s=TTL_S, clock=clock, sleep=clock.sleep)
        first.renew()
        winners.append(first)
    at_work = False
    assert len({lease.term for lease in winners}) == len(winners)
    assert sum(Fence(files, lease.term).may_commit() for lease in winners) == 1
    assert sum(lease.renew() is LeaseState.HELD for lease in winners) == 1


TERM = LeaseTerm(sweep="s", number=1)
WRITTEN = LeaseRecord(
    **{"term": TERM, "owner": "ab12", "host": "h", "pid": 7, "process": "b 1 7", "since_s": 1764435234.125},
    ttl_s=TTL_S,
    info={"priority": 1, "cluster": "c", "demand": {"cpu": 2.5}},
).to_bytes()


def check_readable(content: bytes) -> None:
    """What a driver does with the lease of another one."""
    files = DictFiles()
    files.replace(TERM.path, content)
    record = read_lease(files, TERM)
    assert str(LeaseHeldError(_held_by(record, files)))
    assert Watch(Clock()).alive(record) is not record.released
    assert isinstance(record.info.get("priority", 0), int)
    assert all(amount >= 0 for amount in record.info.get("demand", {}).values())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_changed_byte_of_a_lease_ends_no_one_who_reads_it(data):
    place = data.draw(st.integers(0, len(WRITTEN) - 1))
    other = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b'"{}[],:9e.-')))
    check_readable(WRITTEN[:place] + bytes([other]) + WRITTEN[place + 1 :])


@pytest.mark.parametrize(
    ("found", "changed"),
    [(b".125", b"e125"), (b"30.0", b'"30"'), (b'"priority": 1', b'"priority": "x"'), (b"2.5", b"NaN"), (b"{", b"[")],
)
def test_a_changed_lease_ends_no_one_who_reads_it(found, changed):
    assert found in WRITTEN
    check_readable(WRITTEN.replace(found, changed))
