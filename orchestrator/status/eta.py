"""How long a sweep has still to go, from what it has done so far. Pure; knows no clock and no machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.stages.table import StageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """An estimate.

    Attributes:
        seconds: How long.
        at_least: It is a lower bound: of some stage nothing has been seen yet.
    """

    seconds: float
    at_least: bool


@dataclass(slots=True)
class EtaEstimator:
    """How long the attempts of each stage took."""

    worked_s: dict[StageKind, float] = field(default_factory=dict)
    attempts: dict[StageKind, int] = field(default_factory=dict)

    def observe(self, stage: StageKind, duration_s: float) -> None:
        """An attempt computed its result in this time."""
        self.worked_s[stage] = self.worked_s.get(stage, 0.0) + duration_s
        self.attempts[stage] = self.attempts.get(stage, 0) + 1

    def left(self, open_tasks: Mapping[StageKind, int], elapsed_s: float) -> Eta | None:
        """Work left over the pace of work so far; None while there is nothing to go by."""
        worked_s = sum(self.worked_s.values())
        if worked_s <= 0 or elapsed_s <= 0:
            return None
        known = {stage: count for stage, count in open_tasks.items() if stage in self.attempts}
        work_left_s = sum(count * self.worked_s[stage] / self.attempts[stage] for stage, count in known.items())
        return Eta(
            seconds=work_left_s * elapsed_s / worked_s,
            at_least=any(count for stage, count in open_tasks.items() if stage not in known),
        )
