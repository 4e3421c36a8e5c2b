"""The lease of a running driver: its heartbeat, and requests to stop.

A thread renews the lease, so that the heartbeat continues while the driver waits for a long task. How the driver reacts
to a request to stop is decided in `steering`.
"""

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType

from jobs.identity import Json, Parsed
from orchestrator.driver.key_claims import KeyClaims
from orchestrator.scheduling.sharing import Claim
from orchestrator.store import ArtifactStore, Fence, Lease, LeaseState, LeaseTerm, Watch, active_leases

_BEAT_S = 3.0
TERMINATED, CANCELLED = "the driver was terminated (SIGTERM)", "cancelled by `orchard cancel`"
INTERRUPTED = "interrupted (Ctrl-C)"
LOST = "another driver has taken the sweep over, or the store could not be reached for too long"
_GRACE_S: Mapping[str, float] = {TERMINATED: 0.5, CANCELLED: 20.0, LOST: 0.0}
"""How long tasks may take to stop by themselves; Ray gives a driver three seconds in total between SIGTERM and
SIGKILL."""


class DriverLease:
    """The lease of a running driver. A context manager: renews the lease inside, and releases it at the end.

    Attributes:
        keys: The keys that this driver claims under its lease.

    Args:
        store: The sweep's store.
        lease: The lease to renew.
        priority: The sweep's priority.
        beat_s: Seconds between heartbeats.
    """

    def __init__(self, store: ArtifactStore, lease: Lease, *, priority: int = 0, beat_s: float = _BEAT_S) -> None:
        self._store = store
        self._lease = lease
        self._beat_s = beat_s
        self.keys = KeyClaims(store, lease.term, ttl_s=lease.ttl_s)
        self._watch = Watch()
        self._info: dict[str, Json] = {"priority": priority, "cluster": "", "demand": {}}
        self._others: list[Parsed] = []
        self._reason = ""
        self._asked_s = 0.0
        self._renewing = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> "DriverLease":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self.keys.leave()
        self._lease.release()

    @property
    def term(self) -> LeaseTerm:
        """The lease term, which workers check before they commit."""
        return self._lease.term

    @property
    def reason(self) -> str:
        """Why the driver has to stop; empty while it does not."""
        return self._reason

    @property
    def lost(self) -> bool:
        """Whether the lease is lost to another driver: nothing may be written any more."""
        return self._reason == LOST

    @property
    def hurried(self) -> bool:
        """Whether the driver must end without writing anything more: terminated, or lease lost."""
        return self._reason in (LOST, TERMINATED)

    def claim_keys(self) -> None:
        """From now on, claim what this driver computes: see `KeyClaims`."""
        self.keys.join(self._lease.beaten_s)

    def should_stop(self) -> bool:
        """Whether a stop was requested."""
        return bool(self._reason)

    def may_commit(self) -> bool:
        """Whether results may still be committed. Reads the store each time, in case the heartbeats have stopped.

        Raises:
            OSError: The store does not answer.
        """
        if not self.lost and not Fence(self._store.files, self.term).may_commit():
            self.stop(LOST)
        return not self.lost

    def overdue(self) -> bool:
        """Whether the grace period of running tasks is over."""
        return bool(self._reason) and time.monotonic() - self._asked_s >= _GRACE_S[self._reason]

    def tell(self, *, cluster: str, demand: Mapping[str, float]) -> None:
        """Publish the cluster and the demand to drivers of other sweeps, with the next heartbeat."""
        self._info = {**self._info, "cluster": cluster, "demand": dict(demand)}

    def claims(self, lane: str) -> list[Claim]:
        """The demand in a lane of all sweeps on this cluster, this one first."""
        return [
            Claim(sweep=str(info["sweep"]), priority=int(info["priority"]), demand=float(info["demand"].get(lane, 0)))
            for info in [{**self._info, "sweep": self.term.sweep}, *self._others]
        ]

    def stop(self, reason: str) -> None:
        """Request that this driver stops."""
        if self._reason in ("", CANCELLED):
            self._reason, self._asked_s = reason, time.monotonic()

    @contextmanager
    def stopping_on_sigterm(self) -> Iterator[None]:
        """Treat SIGTERM as a request to stop. Enter it after `ray.init`, which replaces the handler."""

        def terminate(number: int, frame: FrameType | None) -> None:
            self.stop(TERMINATED)

        before = signal.signal(signal.SIGTERM, terminate)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def ask_tasks_to_stop(self) -> None:
        """Set the flag that long stages poll; if that fails, they are killed after the grace period.

        It is that of this driver's term: those of a driver that has followed go on.
        """
        with suppress(OSError):
            self._store.files.replace(self.term.cancel_path, b"")

    def look(self) -> None:
        """Find out now whether to stop, rather than with the next heartbeat."""
        with self._renewing:
            state = self._lease.renew(**self._info)
            if state is LeaseState.LOST:
                self.stop(LOST)
            elif state is LeaseState.CANCELLED and not self._reason:
                self.stop(CANCELLED)

    def _beat(self) -> None:
        while True:
            self.look()
            if self.lost:
                return
            self.keys.beat(self._lease.beaten_s)
            if self._info["cluster"]:
                self._read_other_leases()
            if self._ended.wait(self._beat_s):
                return

    def _read_other_leases(self) -> None:
        """Update the demands of the other sweeps on this cluster."""
        try:
            records = active_leases(self._store.files)
        except OSError:
            return  # keep the previous state
        self._others = [
            {"priority": 0, "demand": {}, **record.info, "sweep": record.term.sweep}
            for record in records
            if record.term.sweep != self.term.sweep
            and record.info.get("cluster") == self._info["cluster"]
            and self._watch.alive(record)
        ]
