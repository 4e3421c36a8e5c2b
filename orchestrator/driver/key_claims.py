"""The keys that a running driver claims, so that no two drivers of a store compute the same task at once.

A driver that is alone has claimed all keys, and writes nothing. As its heartbeat finds another in the table, it writes
down what it has in flight instead, and claims what it submits from then on; the other submits nothing before. A claim
is worth what its driver's lease is worth. See docs/decisions/0019-claims.md.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from jobs.errors import OrchardError
from jobs.outcome import Cause, Failed, Outcome, Succeeded
from orchestrator.store import LEASE_TTL_S, ArtifactStore, LeaseTerm, Watch
from orchestrator.store.claim_register import ClaimRegister, ClaimTable
from orchestrator.store.lease import has_ended
from orchestrator.store.terms import newest_term, read_lease

_LOOK_S = 1.0
_log = logging.getLogger("orchard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What became of the tasks that a driver leaves to others.

    Attributes:
        stored: Those that are in the store now, each as a cache hit.
        holders: The sweep whose driver computes it, by key; "": the store did not answer. No other is claimed.
    """

    stored: Sequence[Succeeded]
    holders: Mapping[str, str]


class KeyClaims:
    """The claims of one driver. Its main loop claims and releases, its heartbeat keeps the table true.

    Args:
        store: The store whose keys are claimed.
        term: The driver's lease term.
        ttl_s: Time to live of its lease.
        clock: A monotonic clock, in seconds; that of the lease.
    """

    def __init__(
        self,
        store: ArtifactStore,
        term: LeaseTerm,
        *,
        ttl_s: float = LEASE_TTL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._term, self._ttl_s, self._clock = store, term, ttl_s, clock
        self._register = ClaimRegister(store.files)
        self._watch = Watch(clock)
        self._lock = threading.Lock()
        self._held: frozenset[str] = frozenset()
        self._joined = self._alone = False
        self._beaten_s = self._looked_s = float("-inf")

    def join(self, beaten_s: float) -> None:
        """Enter the table: from now on the drivers that are in it claim what they submit. Again: does nothing.

        Args:
            beaten_s: When the last written heartbeat of the lease began, by the clock.
        """
        if not self._joined:
            self._joined = True
            self.beat(beaten_s)

    def beat(self, beaten_s: float) -> None:
        """Drop drivers that are dead, write what has changed. Called after every heartbeat of the lease.

        Args:
            beaten_s: When the last written heartbeat of the lease began, by the clock.
        """
        try:
            if self._alone and not self._register.has_changed():
                self._beaten_s = beaten_s
                return
            with self._lock:
                if self._joined:
                    self._beaten_s = beaten_s
                    self._keep_true()
        except (OSError, OrchardError) as error:
            _log.debug("the table of claims was not reached: %s", error)

    def leave(self) -> None:
        """Leave the table and give up all claims; where that fails, they end with the lease."""
        with self._lock:
            if not self._joined:
                return
            self._joined = self._alone = False
            try:
                self._register.read()
                self._register.update(
                    lambda table: ClaimTable(keys={t: keys for t, keys in table.keys.items() if t != self._term})
                )
            except (OSError, OrchardError) as error:
                _log.debug("the table of claims was not reached: %s", error)

    def claim(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Claim keys; returns those that may not be computed, with the sweep that does (see `Elsewhere`)."""
        with self._lock:
            if self._alone and self._is_sure():
                self._held = self._held.union(keys)
                return {}
            try:
                table = self._register.update(lambda table: self._with_own(table, frozenset(keys)))
            except (OSError, OrchardError) as error:
                _log.debug("the table of claims was not reached: %s", error)
                return dict.fromkeys(keys, "")
            self._take(table)
            if self._alone:
                self._held = self._held.union(keys)
            return self._holders(table, set(keys) - self._held)

    def release(self, outcomes: Iterable[Outcome]) -> None:
        """Release the claims of attempts that have ended; the table says so soon.

        What was cancelled by force may run on for a moment: such claims end with the driver.
        """
        ended = {
            outcome.key
            for outcome in outcomes
            if not (isinstance(outcome, Failed) and outcome.cause is Cause.CANCELLED)
        }
        if ended:
            with self._lock:
                self._held = self._held - ended

    def look(self, keys: Collection[str]) -> Elsewhere | None:
        """What became of tasks that others compute; None where it is not yet time to look again."""
        if (self._alone and not keys) or self._clock() - self._looked_s < _LOOK_S:
            return None
        self._looked_s, wanted = self._clock(), set(keys)
        try:
            with self._lock:
                self._register.read()
                self._take(self._register.update(lambda table: self._with_own(table, frozenset())))
                holders = self._holders(self._register.table, wanted)
            # Only now: who commits and then releases is seen by one of the two.
            manifests, _ = self._store.manifests(self._store.present(wanted - holders.keys()))
        except (OSError, OrchardError) as error:
            _log.debug("the table of claims was not reached: %s", error)
            return None
        stored = [
            Succeeded(key=key, measurements=manifest.measurements, duration_s=0.0, host=manifest.host, reused=True)
            for key, manifest in manifests.items()
        ]
        return Elsewhere(stored=stored, holders=holders)

    def _keep_true(self) -> None:
        """Drop the dead from the table, and write this driver's part of it where that is not what it should be."""
        dead = {term for term in self._register.read().keys if term != self._term and not self._is_alive(term)}
        self._take(self._register.update(lambda table: self._with_own(table, frozenset(), dead)))

    def _with_own(
        self, table: ClaimTable, wanted: frozenset[str], dead: Iterable[LeaseTerm] = frozenset()
    ) -> ClaimTable:
        """A table in which this driver has what it holds, and of `wanted` what nobody else has."""
        others = {term: keys for term, keys in table.keys.items() if term != self._term and term not in dead}
        own: frozenset[str] | None = self._held
        if not others and self._is_sure():
            own = None
        elif wanted:
            taken = self._holders(ClaimTable(keys=others), wanted)
            own = self._held | (wanted - taken.keys())
        return ClaimTable(keys={**others, self._term: own})

    def _take(self, table: ClaimTable) -> None:
        own = table.keys[self._term]
        self._alone = own is None
        if own is not None:
            self._held = own

    def _holders(self, table: ClaimTable, keys: Iterable[str]) -> dict[str, str]:
        """Those of the keys that others have claimed, with their sweeps."""
        holders: dict[str, str] = {}
        for term, held in table.keys.items():
            if term != self._term:
                holders |= {key: term.sweep for key in keys if held is None or key in held}
        return holders

    def _is_sure(self) -> bool:
        """Whether no other driver can take this one for dead: its heartbeat is young, by its own clock."""
        return self._clock() - self._beaten_s < self._ttl_s / 2

    def _is_alive(self, term: LeaseTerm) -> bool:
        if newest_term(self._store.files, term.sweep)[0] != term:
            return False  # another driver has followed it
        record = read_lease(self._store.files, term)
        return self._watch.alive(record) and not has_ended(record)
