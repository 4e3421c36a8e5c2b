"""The cost model: predicts durations and GPU memory of tasks from past attempts.

Tasks of one stage and family (a model of the sweep) are expected to cost the same.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jobs.outcome import Usage
from jobs.resources import Resources
from jobs.stages.table import StageKind
from jobs.task import Task

_HEADROOM = 1.25
_FRACTIONS = 16
"""GPU requests are multiples of 1/16: few shapes, which a cluster packs better than many."""


@dataclass(slots=True)
class Seen:
    """What attempts of one stage and family took: in total, and their largest peak."""

    total_s: float = 0.0
    total_work: float = 0.0
    gpu_fraction: float = 0.0


@dataclass(slots=True)
class CostModel:
    """Predicts costs. Durations per unit of work are means over all observations; GPU memory is the largest peak.

    Attributes:
        seen: Stage -> family -> what was observed.
    """

    seen: dict[StageKind, dict[str, Seen]] = field(default_factory=dict)

    def observe(self, stage: StageKind, family: str, *, duration_s: float, work: float, usage: Usage) -> None:
        """Add a successful attempt."""
        seen = self.seen.setdefault(stage, {}).setdefault(family, Seen())
        seen.total_s += duration_s
        seen.total_work += work
        seen.gpu_fraction = max(seen.gpu_fraction, usage.gpu_fraction)

    def adopt(self, other: "CostModel", families: Mapping[str, str]) -> bool:
        """Take over what another model has seen and this one has not; whether there was anything.

        Args:
            other: The other model.
            families: Its families -> those of this one.
        """
        adopted = False
        for stage, theirs in other.seen.items():
            ours = self.seen.setdefault(stage, {})
            for family, seen in theirs.items():
                if family in families and families[family] not in ours:
                    ours[families[family]] = replace(seen)
                    adopted = True
        return adopted

    def expected_s(self, task: Task) -> float:
        """The expected duration of a task in seconds; 0 without observations of work."""
        seen = self._of(task)
        return seen.total_s / seen.total_work * task.work if seen and seen.total_work else 0.0

    def path_s(self, task: Task) -> float:
        """The expected duration, or the stage's assumed one without observations; for critical paths."""
        return self.expected_s(task) or task.stage.row.assumed_s

    def resources(self, task: Task) -> Resources:
        """The request for a task; an adaptive GPU fraction is replaced by the observed peak plus headroom."""
        seen = self._of(task)
        asked = task.resources
        if not asked.adaptive or not asked.num_gpus or not seen or not seen.gpu_fraction:
            return asked
        sixteenths = min(_FRACTIONS, max(1, math.ceil(seen.gpu_fraction * _HEADROOM * _FRACTIONS)))
        return replace(asked, num_gpus=sixteenths / _FRACTIONS)

    def _of(self, task: Task) -> Seen | None:
        families = self.seen.get(task.stage)
        return families.get(task.family) if families else None
