"""The claim on a whole store, under which `orchard gc` deletes: no driver starts beside it.

A driver takes the lease of its sweep and then looks for the claim; a collector takes the claim and then looks for
leases. Whatever the order of their steps, one of them sees the other.
"""

import logging
import time
from collections.abc import Callable

from orchestrator.store.files import Files
from orchestrator.store.lease import Lease, has_ended
from orchestrator.store.terms import CLAIM, LEASE_TTL_S, LeaseRecord, Watch, newest_term, read_lease

_POLL_S = 0.5
_log = logging.getLogger("orchard")


def acquire_claim(files: Files) -> Lease:
    """Claim the store; the lease has to be renewed like that of a sweep.

    Raises:
        LeaseHeldError: Another process has it.
    """
    return Lease.acquire(files, CLAIM)


def acquire_unclaimed(
    files: Files,
    sweep: str,
    *,
    ttl_s: float = LEASE_TTL_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Lease:
    """Acquire the lease of a sweep that will compute, once nobody claims the whole store; see `Lease.acquire`."""
    watch = Watch(clock)
    told = False
    while True:
        while (holder := _claimant(files, watch)) is not None:
            if not told:
                _log.warning(
                    "%s: waiting for `orchard gc --delete` (process %d on %s)", files.uri, holder.pid, holder.host
                )
            told = True
            sleep(_POLL_S)
        lease = Lease.acquire(files, sweep, ttl_s=ttl_s, clock=clock, sleep=sleep)
        if _claimant(files, watch) is None:
            return lease
        lease.release()


def _claimant(files: Files, watch: Watch) -> LeaseRecord | None:
    """Who claims the store; None where nobody does, or its holder is dead."""
    term, _ = newest_term(files, CLAIM)
    if term is None:
        return None
    record = read_lease(files, term)
    return record if watch.alive(record) and not has_ended(record) else None
