"""The terms in which drivers hold a sweep: numbered files, the newest of which counts.

    leases/<sweep>/00000003.json     term 3: its holder, rewritten by that holder at every heartbeat
    leases/<sweep>/00000003.cancel   a user asked the holder of term 3 to stop

Numbers are never used twice, so the newest term is never removed. Reading only; who may write what is in `lease`.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from jobs.identity import Parsed
from orchestrator.store.files import Files

LEASE_TTL_S = 30.0
"""A holder that is silent for so long may be followed. Heartbeats should come several times as often."""

LEASES = "leases"
"""The folder of all terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerm:
    """One driver's hold on a sweep. It travels to the workers, who ask by it whether it still counts."""

    sweep: str
    number: int

    @property
    def path(self) -> str:
        """Its file."""
        return f"{LEASES}/{self.sweep}/{self.number:08d}.json"

    @property
    def cancel_path(self) -> str:
        """The file whose existence asks its holder to stop."""
        return f"{LEASES}/{self.sweep}/{self.number:08d}.cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """What the file of a term says.

    Attributes:
        term: Which.
        owner: A random name that no other holder has; empty where the file cannot be read.
        host: The machine, for people.
        pid: The process on that machine.
        process: What tells that process from every other one; empty where its system does not tell.
        since_s: When the term began, seconds since the epoch of the holder's clock.
        ttl_s: After so long without a heartbeat the holder gives up, and others may follow it.
        beat: Heartbeats so far.
        released: Its holder has ended.
        info: What the holder tells the others (priority, demand, cluster).
    """

    term: LeaseTerm
    owner: str
    host: str
    pid: int
    process: str
    since_s: float
    ttl_s: float
    beat: int = 0
    released: bool = False
    info: Parsed = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The content of the term's file."""
        names = ("owner", "host", "pid", "process", "since_s", "ttl_s", "beat", "released")
        return json.dumps({**{name: getattr(self, name) for name in names}, "info": dict(self.info)}).encode()


def newest_term(files: Files, sweep: str) -> tuple[LeaseTerm | None, bool]:
    """The newest term of a sweep, None where there was none yet, and whether a user asked its holder to stop."""
    names = files.names(f"{LEASES}/{sweep}")
    numbers = [int(name[:8]) for name in names if name.endswith(".json") and name[:8].isdigit()]
    if not numbers:
        return None, False
    term = LeaseTerm(sweep=sweep, number=max(numbers))
    return term, f"{term.number:08d}.cancel" in names


def read_holding(files: Files, term: LeaseTerm) -> LeaseRecord:
    """What a term's file says; where it cannot be read, an unknown holder."""
    try:
        return LeaseRecord(term=term, **json.loads(files.read(term.path)))
    except (FileNotFoundError, ValueError, TypeError):
        return LeaseRecord(term=term, owner="", host="unknown", pid=0, process="", since_s=0.0, ttl_s=LEASE_TTL_S)


def active_leases(files: Files) -> list[LeaseRecord]:
    """The newest terms of all sweeps that no holder has released, by sweep; a `Watch` tells which of them live."""
    holdings = []
    for sweep in sorted(files.names(LEASES)):
        term, _ = newest_term(files, sweep)
        if term is not None:
            holdings.append(read_holding(files, term))
    return [holding for holding in holdings if not holding.released]


class Watch:
    """Judges by its own clock whether holders live: one whose file does not change any more is taken for dead.

    Clocks of two machines are never compared.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[LeaseTerm, tuple[LeaseRecord, float]] = {}

    def quiet_s(self, holding: LeaseRecord) -> float:
        """For how long this watch has seen a holding as it is now; 0 at first sight."""
        known, since_s = self._seen.get(holding.term, (None, 0.0))
        if known != holding:
            since_s = self._clock()
            self._seen[holding.term] = (holding, since_s)
        return self._clock() - since_s

    def alive(self, holding: LeaseRecord) -> bool:
        """Whether its holder may still be at work, as far as this watch has seen."""
        return not holding.released and self.quiet_s(holding) < holding.ttl_s
