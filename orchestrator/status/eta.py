"""Estimates a sweep's ETA from the durations of its attempts so far. Pure: no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.stages.table import StageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """The estimated remaining time.

    Attributes:
        seconds: Remaining seconds.
        at_least: It is a lower bound: some stage has no observations yet, or the time that was estimated is over.
    """

    seconds: float
    at_least: bool


@dataclass(slots=True)
class EtaEstimator:
    """Estimates the ETA from the mean duration of each stage's attempts, and the pace up to the last one that ended.

    What runs now is in no duration yet, and a driver that waits for others does no work: since then the estimate counts
    down.
    """

    worked_s: dict[StageKind, float] = field(default_factory=dict)
    attempts: dict[StageKind, int] = field(default_factory=dict)
    last_s: float = 0.0

    def observe(self, stage: StageKind, duration_s: float, elapsed_s: float) -> None:
        """Add the duration of a successful attempt, which ended that long after the run's begin."""
        self.worked_s[stage] = self.worked_s.get(stage, 0.0) + duration_s
        self.attempts[stage] = self.attempts.get(stage, 0) + 1
        self.last_s = elapsed_s

    def estimate(self, open_tasks: Mapping[StageKind, int], elapsed_s: float) -> Eta | None:
        """Remaining work divided by the rate of work; None without observations."""
        worked_s = sum(self.worked_s.values())
        if worked_s <= 0 or self.last_s <= 0:
            return None
        known = {stage: count for stage, count in open_tasks.items() if stage in self.attempts}
        work_left_s = sum(count * self.worked_s[stage] / self.attempts[stage] for stage, count in known.items())
        left_s = work_left_s * self.last_s / worked_s - max(0.0, elapsed_s - self.last_s)
        return Eta(
            seconds=max(0.0, left_s),
            at_least=left_s < 0 or any(count for stage, count in open_tasks.items() if stage not in known),
        )
