"""Decides when to save a checkpoint, and handles one that cannot be saved or does not fit.

Loading and saving are two functions on bytes, given by the caller.
"""

import logging
import time
from collections.abc import Callable

from workers.checkpoints.progress import Progress, decode, encode

_log = logging.getLogger("orchard")

INTERVAL_S = 30.0
"""Seconds between checkpoints: what an interruption may cost; shorter computations save none."""

_SHARE = 20
"""Saving takes at most 1 / _SHARE of the time: where it is slow, it is done less often."""


class Checkpoint:
    """Saves and restores the progress of one computation.

    Args:
        load: Returns the last checkpoint; None if there is none.
        save: Replaces the last checkpoint.
        interval_s: Minimum seconds between two checkpoints; shorter computations save none.
        clock: Monotonic clock, in seconds.
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
        """Whether a checkpoint exists, which has to be dropped in the end."""
        return self._kept

    def resume(
        self,
        restore: Callable[[Progress], None],
        *,
        agree: Callable[[Callable[[], bytes | None]], bytes | None] = lambda load: load(),
    ) -> None:
        """Restore the last checkpoint if there is one that fits; otherwise the computation starts from the beginning.

        Args:
            restore: Applies it. Where it does not fit, raises KeyError, TypeError or ValueError and changes nothing.
            agree: For processes that compute together: gives each of them what the first one loads.
        """
        content = agree(self._load)
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
        """Save if a checkpoint is due. To be called wherever a computation could be resumed.

        Args:
            take: Returns the current progress; called only if it is to be saved.
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
