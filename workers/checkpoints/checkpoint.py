"""When a checkpoint is made, and what becomes of one that cannot be kept or does not fit.

Knows neither what is computed nor where a checkpoint is kept: two functions on bytes are handed in.
"""

import logging
import time
from collections.abc import Callable

from workers.checkpoints.progress import Progress, decode, encode

_log = logging.getLogger("orchard")

INTERVAL_S = 30.0
"""What a loss may cost, and how long a computation may be before it costs anything to guard it."""

_SHARE = 20
"""Saving takes at most one part in so many of the time: where it is slow, it is done less often."""


class Checkpoint:
    """The place where one computation keeps how far it has come.

    Args:
        load: Gives what was kept last; None where there is nothing.
        save: Keeps content in place of what was kept before.
        interval_s: At least so long between two savings; shorter computations save nothing.
        clock: Seconds that only rise.
    """

    def __init__(
        self,
        *,
        load: Callable[[], bytes | None],
        save: Callable[[bytes], None],
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._save = load, save
        self._interval_s, self._clock = interval_s, clock
        self._due_s = clock() + interval_s
        self._kept = False

    @property
    def kept(self) -> bool:
        """Whether something was found or saved, and has to be dropped in the end."""
        return self._kept

    def resume(self, restore: Callable[[Progress], None]) -> None:
        """Put back what was kept, if anything was and it fits; otherwise the computation starts anew.

        Args:
            restore: Takes it over. Where it does not fit, raises KeyError, TypeError or ValueError and changes nothing.
        """
        content = self._load()
        if content is None:
            return
        self._kept = True
        try:
            progress = decode(content)
            restore(progress)
        except (KeyError, TypeError, ValueError) as error:
            _log.warning("the checkpoint does not fit and is ignored: %s", error)
        else:
            _log.info("goes on from the checkpoint at %s", progress.where)

    def offer(self, take: Callable[[], Progress]) -> None:
        """Save if the time has come. To be called wherever a computation could be continued.

        Args:
            take: Gives the moment; called only if it is to be saved.
        """
        if self._clock() >= self._due_s:
            self.save(take())

    def save(self, progress: Progress) -> None:
        """Save now. Where that fails the computation goes on; a later checkpoint may succeed."""
        started_s = self._clock()
        try:
            self._save(encode(progress))
            self._kept = True
        except OSError as error:
            _log.warning("no checkpoint at %s: %s", progress.where, error)
        ended_s = self._clock()
        self._due_s = ended_s + max(self._interval_s, _SHARE * (ended_s - started_s))
