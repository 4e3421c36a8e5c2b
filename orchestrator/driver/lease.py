"""A driver's hold on its sweep while it runs: the heartbeat of its lease, and who asks it to stop.

A thread renews the lease, so that a driver which waits for a long task still shows that it lives. What follows from a
request to stop is decided in `steering`.
"""

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType

from jobs.identity import Json, Parsed
from orchestrator.scheduling.sharing import Claim
from orchestrator.store import ArtifactStore, Lease, LeaseTerm, Standing, Watch, active_leases, cancel

_BEAT_S = 3.0
TERMINATED, CANCELLED = "the driver was told to end (SIGTERM)", "cancelled by `orchard cancel`"
LOST = "another driver has taken the sweep over, or the store could not be reached for too long"
_GRACE_S: Mapping[str, float] = {TERMINATED: 0.5, CANCELLED: 20.0, LOST: 0.0}
"""How long tasks may take to stop by themselves; Ray gives a driver three seconds between SIGTERM and SIGKILL for all
that it has to do."""


class DriverLease:
    """The lease of a running driver. Use it as a context: it beats inside, and the lease is released at the end.

    Args:
        store: Where the sweep is.
        lease: Its lease.
        priority: The sweep's.
        beat_s: Seconds between heartbeats.
    """

    def __init__(self, store: ArtifactStore, lease: Lease, *, priority: int = 0, beat_s: float = _BEAT_S) -> None:
        self._store = store
        self._lease = lease
        self._beat_s = beat_s
        self._watch = Watch()
        self._info: dict[str, Json] = {"priority": priority, "cluster": "", "demand": {}}
        self._others: list[Parsed] = []
        self._reason = ""
        self._asked_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> "DriverLease":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._lease.release()

    @property
    def term(self) -> LeaseTerm:
        """What the workers need to know of it."""
        return self._lease.term

    @property
    def reason(self) -> str:
        """Why to stop, in words; empty while nobody asks."""
        return self._reason

    @property
    def lost(self) -> bool:
        """Whether another driver has followed: nothing may be written any more."""
        return self._reason == LOST

    @property
    def hurried(self) -> bool:
        """Whether there is no time, or no right, to write anything more."""
        return self._reason in (LOST, TERMINATED)

    def should_stop(self) -> bool:
        """Whether somebody asked to stop."""
        return bool(self._reason)

    def may_commit(self) -> bool:
        """Whether results still count."""
        return not self.lost

    def overdue(self) -> bool:
        """Whether what runs has had its time to stop by itself."""
        return bool(self._reason) and time.monotonic() - self._asked_s >= _GRACE_S[self._reason]

    def tell(self, *, cluster: str, demand: Mapping[str, float]) -> None:
        """What the drivers of other sweeps should know from the next heartbeat on."""
        self._info = {**self._info, "cluster": cluster, "demand": dict(demand)}

    def claims(self, lane: str) -> list[Claim]:
        """What the sweeps that run on this cluster could use of a lane now, this one among them."""
        return [
            Claim(sweep=str(info["sweep"]), priority=int(info["priority"]), demand=float(info["demand"].get(lane, 0)))
            for info in [{**self._info, "sweep": self.term.sweep}, *self._others]
        ]

    def stop(self, reason: str) -> None:
        """Ask this driver to stop; the tasks that run see it too."""
        if self._reason in ("", CANCELLED):
            self._reason, self._asked_s = reason, time.monotonic()

    @contextmanager
    def hearing_sigterm(self) -> Iterator[None]:
        """Take SIGTERM as a request to stop. To be entered after `ray.init`, which replaces the handler."""

        def terminate(number: int, frame: FrameType | None) -> None:
            self.stop(TERMINATED)

        before = signal.signal(signal.SIGTERM, terminate)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def ask_tasks_to_stop(self) -> None:
        """Raise the flag that long stages poll; where that fails they are stopped by force, when they are overdue."""
        with suppress(OSError):
            cancel(self._store.files, self.term.sweep)

    def _beat(self) -> None:
        while True:
            standing = self._lease.renew(**self._info)
            if standing is Standing.LOST:
                self.stop(LOST)
                return
            if standing is Standing.CANCELLED and not self._reason:
                self.stop(CANCELLED)
            if self._info["cluster"]:
                self._look_around()
            if self._ended.wait(self._beat_s):
                return

    def _look_around(self) -> None:
        """See who else is on this cluster."""
        try:
            holdings = active_leases(self._store.files)
        except OSError:
            return  # the last look has to do
        self._others = [
            {"priority": 0, "demand": {}, **holding.info, "sweep": holding.term.sweep}
            for holding in holdings
            if holding.term.sweep != self.term.sweep
            and holding.info.get("cluster") == self._info["cluster"]
            and self._watch.alive(holding)
        ]
