"""Seconds that passes take on a device; a GPU is not waited for."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class PassClock:
    """Sums up the seconds of passes.

    Args:
        device: Where they run.
    """

    def __init__(self, device: torch.device) -> None:
        self._on_cuda, self._seconds = device.type == "cuda", 0.0
        self._waiting: deque[tuple[torch.cuda.Event, torch.cuda.Event]] = deque()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """The work within is a pass."""
        if not self._on_cuda:
            started = time.perf_counter()
            yield
            self._seconds += time.perf_counter() - started
            return
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        yield
        end.record()
        self._waiting.append((start, end))
        while self._waiting and self._waiting[0][1].query():
            self._read()

    @property
    def seconds(self) -> float:
        """Of all passes so far; waits for a GPU."""
        while self._waiting:
            self._waiting[0][1].synchronize()
            self._read()
        return self._seconds

    def _read(self) -> None:
        start, end = self._waiting.popleft()
        self._seconds += start.elapsed_time(end) / 1000
