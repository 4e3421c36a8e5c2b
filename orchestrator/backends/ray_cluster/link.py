"""Watches whether the head of the cluster and the Ray process of this machine still answer.

Ray's own calls hang for a minute where they do not, and then Ray ends the process in its own words. So a thread asks:
the main loop raises an error at its next call, and where it hangs inside of Ray, the thread ends the process.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping

from jobs.errors import StoppedError
from jobs.secrets import mask

PATIENCE_S = 20.0
"""Who does not answer for this long counts as lost; Ray ends the process after 60 s."""

_GRACE_S = 5.0
"""How long the main loop may take to raise the error and close the link."""

_INTERVAL_S, _TIMEOUT_S = 2.0, 2.0
HEAD, LOCAL = "its head", "the Ray process of this machine"


class LostClusterError(StoppedError):
    """The connection to the cluster is lost for good."""

    def __init__(self, address: str, found: str) -> None:
        super().__init__(
            f"Ray cluster at {address}: {found}. What was finished is kept: "
            "run the same command again when there is a cluster"
        )


def end_process(error: LostClusterError) -> None:
    """End this process with the exit code of a stopped run, because it hangs."""
    print(f"stopped: {mask(str(error))}", file=sys.stderr)
    end_lost()


def end_lost() -> None:
    """End this process as a stopped run ends, without Ray: it would wait for its head, and crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(StoppedError.exit_code)


class Link:
    """Asks by connecting to ports, in a thread of its own.

    Args:
        address: `host:port` of the head.
        places: Who is asked: what to call it, and its `host:port`; default: the head.
        patience_s: How long one may not answer.
        grace_s: How long the link may stay open once somebody is lost.
        end: Called after that.
    """

    def __init__(
        self,
        address: str,
        places: Mapping[str, str] | None = None,
        *,
        patience_s: float = PATIENCE_S,
        grace_s: float = _GRACE_S,
        end: Callable[[LostClusterError], None] = end_process,
    ) -> None:
        self.address = address
        self._places = {HEAD: address} if places is None else places
        self._patience_s, self._grace_s, self._end = patience_s, grace_s, end
        self._found = ""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="link", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether the cluster is lost: Ray must not be called any more."""
        return bool(self._found)

    def head_answers(self) -> bool:
        """Whether the head answers right now."""
        return answers(self.address)

    def check(self) -> None:
        """Does nothing while all answer.

        Raises:
            LostClusterError: One has not answered for too long.
        """
        if self._found:
            raise self.loss(self._found)

    def loss(self, found: str) -> LostClusterError:
        """The error to raise."""
        self._found = found
        return LostClusterError(self.address, found)

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()

    def _watch(self) -> None:
        answered_s = dict.fromkeys(self._places, time.monotonic())
        while not self._found:
            if self._closed.wait(min(_INTERVAL_S, self._patience_s / 4)):
                return
            for name, address in self._places.items():
                if answers(address):
                    answered_s[name] = time.monotonic()
                silent_s = time.monotonic() - answered_s[name]
                if silent_s > self._patience_s:
                    self._found = f"{name} has not answered for {silent_s:.0f} s"
        if not self._closed.wait(self._grace_s):
            self._end(LostClusterError(self.address, self._found))


def answers(address: str) -> bool:
    """Whether something takes connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_S).close()
    except OSError:
        return False
    return True
