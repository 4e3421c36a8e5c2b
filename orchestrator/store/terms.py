"""Lease terms: numbered files, the newest of which is valid.

    leases/<sweep>/00000003.json     term 3: its holder's record, rewritten by that holder at every heartbeat
    leases/<sweep>/00000003.cancel   a user asked the holder of term 3 to stop

Numbers are never reused, so the newest term is never deleted. This module only reads; `lease` writes.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, NotRequired

from pydantic import (
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    with_config,
)
from typing_extensions import TypedDict

from jobs.identity import Parsed
from orchestrator.store.files import Files

LEASE_TTL_S = 30.0
"""Default time to live: after this long without a heartbeat another driver may take over."""

LEASES = "leases"
"""The folder of all terms."""

CLAIM = "~gc"
"""In the place of a sweep's name, for the claim on the whole store (`claim`); no sweep can have it."""


@with_config(ConfigDict(strict=True, extra="allow", allow_inf_nan=False))
class _Info(TypedDict):
    priority: NotRequired[int]
    cluster: NotRequired[str]
    demand: NotRequired[dict[str, Annotated[float, Field(ge=0)]]]


def _empty_unless_valid(value: object, valid: ValidatorFunctionWrapHandler) -> Parsed:
    """What is published besides: whatever it holds, who beats is alive."""
    try:
        checked: Parsed = valid(value)
    except ValidationError:
        return {}
    return checked


@with_config(ConfigDict(strict=True, extra="ignore", allow_inf_nan=False))
class _Fields(TypedDict):
    """What the file of a term holds: a changed character must not end those who read it."""

    owner: str
    host: str
    pid: Annotated[int, Field(ge=0)]
    process: str
    since_s: Annotated[float, Field(ge=0, le=4e9)]
    ttl_s: Annotated[float, Field(gt=0, le=1e6)]
    beat: int
    released: bool
    info: Annotated[_Info, WrapValidator(_empty_unless_valid)]


_FIELDS = TypeAdapter(_Fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerm:
    """One term of a sweep's lease. It is passed to workers, which check that it is still the newest."""

    sweep: str
    number: int

    @property
    def path(self) -> str:
        """The path of its record."""
        return f"{LEASES}/{self.sweep}/{self.number:08d}.json"

    @property
    def cancel_path(self) -> str:
        """The path of the file whose existence asks its holder to stop."""
        return f"{LEASES}/{self.sweep}/{self.number:08d}.cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """The record of a lease term, as its holder writes it.

    Attributes:
        term: The term.
        owner: A random, unique name of the holder; empty where the record cannot be read.
        host: The holder's host name.
        pid: The holder's process id.
        process: A unique identity of that process; empty where the system does not provide one.
        since_s: When the term began, seconds since the epoch by the holder's clock.
        ttl_s: Time to live: after this long without a heartbeat the holder gives up, and others may take over.
        beat: Number of heartbeats.
        released: The holder has released the lease.
        info: Published to other drivers: priority, demand, cluster.
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
        """The record as JSON."""
        names = ("owner", "host", "pid", "process", "since_s", "ttl_s", "beat", "released")
        return json.dumps({**{name: getattr(self, name) for name in names}, "info": dict(self.info)}).encode()


def newest_term(files: Files, sweep: str) -> tuple[LeaseTerm | None, bool]:
    """The newest term of a sweep (None where there is none), and whether a user asked its holder to stop."""
    names = files.names(f"{LEASES}/{sweep}")
    numbers = [int(name[:8]) for name in names if name.endswith(".json") and name[:8].isdigit()]
    if not numbers:
        return None, False
    term = LeaseTerm(sweep=sweep, number=max(numbers))
    return term, f"{term.number:08d}.cancel" in names


def read_lease(files: Files, term: LeaseTerm) -> LeaseRecord:
    """The record of a term; a record of an unknown holder where it cannot be read."""
    try:
        return LeaseRecord(term=term, **_FIELDS.validate_json(files.read(term.path)))
    except (FileNotFoundError, ValidationError):
        return LeaseRecord(term=term, owner="", host="unknown", pid=0, process="", since_s=0.0, ttl_s=LEASE_TTL_S)


def active_leases(files: Files) -> list[LeaseRecord]:
    """The newest, unreleased lease records of all sweeps, sorted by sweep; a `Watch` tells which holders are alive."""
    records = []
    for sweep in sorted(set(files.names(LEASES)) - {CLAIM}):
        term, _ = newest_term(files, sweep)
        if term is not None:
            records.append(read_lease(files, term))
    return [record for record in records if not record.released]


class Watch:
    """Detects dead holders: those whose record has not changed for its time to live, by the watcher's own clock.

    Clocks of two machines are never compared.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[LeaseTerm, tuple[LeaseRecord, float]] = {}

    def quiet_s(self, record: LeaseRecord) -> float:
        """How long this watch has seen the record unchanged; 0 at first sight."""
        known, since_s = self._seen.get(record.term, (None, 0.0))
        if known != record:
            since_s = self._clock()
            self._seen[record.term] = (record, since_s)
        return self._clock() - since_s

    def alive(self, record: LeaseRecord) -> bool:
        """Whether its holder may still be alive, as far as this watch has seen."""
        return not record.released and self.quiet_s(record) < record.ttl_s
