"""Estimates a sweep's ETA from the durations of its attempts so far. Pure: no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.stages.table import StageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """The estimated remaining time.

    Attributes:
        seconds: Remaining seconds.
        at_least: It is a lower bound, because some stage has no observations yet.
    """

    seconds: float
    at_least: bool


@dataclass(slots=True)
class EtaEstimator:
    """Estimates the ETA from the mean duration of each stage's attempts."""

    worked_s: dict[StageKind, float] = field(default_factory=dict)
    attempts: dict[StageKind, int] = field(default_factory=dict)

    def observe(self, stage: StageKind, duration_s: float) -> None:
        """Add the duration of a successful attempt."""
        self.worked_s[stage] = self.worked_s.get(stage, 0.0) + duration_s
        self.attempts[stage] = self.attempts.get(stage, 0) + 1

    def estimate(self, open_tasks: Mapping[StageKind, int], elapsed_s: float) -> Eta | None:
        """Remaining work divided by the rate of work so far; None without observations."""
        worked_s = sum(self.worked_s.values())
        if worked_s <= 0 or elapsed_s <= 0:
            return None
        known = {stage: count for stage, count in open_tasks.items() if stage in self.attempts}
        work_left_s = sum(count * self.worked_s[stage] / self.attempts[stage] for stage, count in known.items())
        return Eta(
            seconds=work_left_s * elapsed_s / worked_s,
            at_least=any(count for stage, count in open_tasks.items() if stage not in known),
        )
