"""The caps of a sweep: GPU-hours and wall time.

Counts what was told; knows no clock.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Where a sweep stops by itself, in seconds; None: nowhere."""

    gpu_s: float | None = None
    wall_s: float | None = None


class Spending:
    """What a sweep has spent and has reserved for what runs.

    Args:
        caps: The limits.
        gpu_s: GPU-seconds that earlier runs of the sweep have spent.
        started_s: When this run started.

    Attributes:
        gpu_s: GPU-seconds spent, earlier runs included.
        reserved_gpu_s: GPU-seconds that the tasks in flight are expected to take.
    """

    def __init__(self, caps: Caps, *, gpu_s: float = 0.0, started_s: float = 0.0) -> None:
        self._caps = caps
        self._started_s = started_s
        self.gpu_s = gpu_s
        self.reserved_gpu_s = 0.0

    def reserve(self, gpu_s: float) -> None:
        """An attempt that is expected to take this was submitted."""
        self.reserved_gpu_s += gpu_s

    def settle(self, *, reserved_gpu_s: float, spent_gpu_s: float) -> None:
        """It came back, and took that."""
        self.reserved_gpu_s -= reserved_gpu_s
        self.gpu_s += spent_gpu_s

    def exceeded(self, now_s: float, next_gpu_s: float = 0.0) -> str:
        """Which cap forbids a next attempt that is expected to take `next_gpu_s`, in words; empty where none does."""
        cap = self._caps.gpu_s
        if cap is not None and (self.gpu_s >= cap or self.gpu_s + self.reserved_gpu_s + next_gpu_s > cap):
            return f"budget.gpu_hours: {self.gpu_s / 3600:.3g} of {cap / 3600:.3g} GPU-hours are spent"
        cap = self._caps.wall_s
        if cap is not None and now_s - self._started_s >= cap:
            return f"budget.wall_hours: this run has taken its {cap / 3600:.3g} hours"
        return ""
