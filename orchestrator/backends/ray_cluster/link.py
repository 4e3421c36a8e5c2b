"""Checks that the head of the cluster still answers: Ray itself waits a minute, then ends the process."""

import math
import socket
import time
from contextlib import suppress

from jobs.errors import OrchardError

PATIENCE_S = 30.0
"""A head that does not answer for this long counts as lost; Ray ends the process after 60 s."""

_INTERVAL_S = 5.0
_TIMEOUT_S = 2.0


class LostClusterError(OrchardError):
    """The connection to the cluster is lost for good."""

    def __init__(self, address: str, found: str) -> None:
        super().__init__(
            f"Ray cluster at {address}: {found}. What was finished is kept: "
            "run the same command again when there is a cluster"
        )


class Link:
    """Checks the head by connecting to its port.

    Args:
        address: `host:port` of the head.
        patience_s: How long it may not answer.
    """

    def __init__(self, address: str, patience_s: float) -> None:
        self.address = address
        self._patience_s = patience_s
        self._asked_s = -math.inf
        self._answered_s = time.monotonic()

    def check(self) -> None:
        """Connect to the head, at most every few seconds.

        Raises:
            LostClusterError: It has not answered for too long.
        """
        now = time.monotonic()
        if now - self._asked_s < min(_INTERVAL_S, self._patience_s / 2):
            return
        self._asked_s = now
        host, _, port = self.address.rpartition(":")
        with suppress(OSError):
            socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_S).close()
            self._answered_s = time.monotonic()
        silent_s = time.monotonic() - self._answered_s
        if silent_s > self._patience_s:
            raise self.loss(f"its head has not answered for {silent_s:.0f} s")

    def loss(self, found: str) -> LostClusterError:
        """The error to raise."""
        return LostClusterError(self.address, found)
