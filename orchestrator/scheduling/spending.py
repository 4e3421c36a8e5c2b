"""Enforces a sweep's budget of GPU-hours and wall time. Pure: no clock."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The caps at which a sweep stops, in seconds; None: no cap."""

    gpu_s: float | None = None
    wall_s: float | None = None


class Spending:
    """What a sweep has spent, and has reserved for attempts in flight.

    Args:
        caps: The caps.
        gpu_s: GPU-seconds that earlier runs of the sweep have spent.
        started_s: When this run started.

    Attributes:
        gpu_s: GPU-seconds spent, earlier runs included.
        reserved_gpu_s: Expected GPU-seconds of the attempts in flight.
    """

    def __init__(self, caps: Caps, *, gpu_s: float = 0.0, started_s: float = 0.0) -> None:
        self._caps = caps
        self._started_s = started_s
        self.gpu_s = gpu_s
        self.reserved_gpu_s = 0.0

    def reserve(self, gpu_s: float) -> None:
        """Reserve the expected GPU-seconds of a submitted attempt."""
        self.reserved_gpu_s += gpu_s

    def settle(self, *, reserved_gpu_s: float, spent_gpu_s: float) -> None:
        """Replace an attempt's reservation by the GPU-seconds that it took."""
        self.reserved_gpu_s -= reserved_gpu_s
        self.gpu_s += spent_gpu_s

    def exceeded(self, now_s: float, next_gpu_s: float = 0.0) -> str:
        """Which cap forbids another attempt of expected `next_gpu_s`, as text; empty where none does."""
        cap = self._caps.gpu_s
        if cap is not None and (self.gpu_s >= cap or self.gpu_s + self.reserved_gpu_s + next_gpu_s > cap):
            return f"budget.gpu_hours: {self.gpu_s / 3600:.3g} of {cap / 3600:.3g} GPU-hours are spent"
        cap = self._caps.wall_s
        if cap is not None and now_s - self._started_s >= cap:
            return f"budget.wall_hours: this run has taken its {cap / 3600:.3g} hours"
        return ""
