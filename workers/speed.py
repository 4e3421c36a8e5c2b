"""How quick a network is trained, tuned or evaluated: a clock, which no result depends on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """The speed of one process; evaluations within a training are not counted. Peak memory is in every task's usage.

    Attributes:
        samples_per_s: Samples a second; 0 where nothing was left to do.
        data_wait_s: Seconds in which the loop waited for batches.
        teacher_s: Seconds that the passes of the dense network took, on its device; None without distillation.
    """

    samples_per_s: float
    data_wait_s: float
    teacher_s: float | None = None

    def timings(self) -> dict[str, float]:
        """All values that there are, by name."""
        teacher = {} if self.teacher_s is None else {"teacher_s": self.teacher_s}
        return {"samples_per_s": self.samples_per_s, "data_wait_s": self.data_wait_s, **teacher}


class Stopwatch:
    """Measures a speed."""

    def __init__(self) -> None:
        self._samples, self._taken_s, self._waited_s = 0, 0.0, 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """The time within is that of the samples which are counted."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._taken_s += time.perf_counter() - started

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The time within is spent on getting a batch."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._waited_s += time.perf_counter() - started

    def count(self, samples: int) -> None:
        """So many samples were gone through."""
        self._samples += samples

    def speed(self, *, teacher_s: float | None = None) -> Speed:
        """What was measured so far, and what a teacher measured itself."""
        rate = self._samples / self._taken_s if self._samples else 0.0
        return Speed(samples_per_s=rate, data_wait_s=self._waited_s, teacher_s=teacher_s)
