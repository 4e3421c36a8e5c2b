"""The cost model: predicts durations and GPU memory of tasks from past attempts.

Tasks of one stage and family (a model of the sweep) are expected to cost the same.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, replace

from jobs.outcome import Usage
from jobs.resources import Resources
from jobs.stages.table import StageKind
from jobs.task import Task

_HEADROOM = 1.25
_FRACTIONS = 16
"""GPU requests are multiples of 1/16: few shapes, which a cluster packs better than many."""


@dataclass(slots=True)
class _Seen:
    count: int = 0
    total_s: float = 0.0
    total_work: float = 0.0
    gpu_fraction: float = 0.0


class CostModel:
    """Predicts costs. Durations per unit of work are means over all observations; GPU memory is the largest peak."""

    def __init__(self) -> None:
        self._seen: defaultdict[tuple[StageKind, str], _Seen] = defaultdict(_Seen)

    def observe(self, stage: StageKind, family: str, *, duration_s: float, work: float, usage: Usage) -> None:
        """Add a successful attempt."""
        seen = self._seen[stage, family]
        seen.count += 1
        seen.total_s += duration_s
        seen.total_work += work
        seen.gpu_fraction = max(seen.gpu_fraction, usage.gpu_fraction)

    def expected_s(self, task: Task) -> float:
        """The expected duration of a task in seconds; 0 without observations of work."""
        seen = self._seen.get((task.stage, task.family))
        return seen.total_s / seen.total_work * task.work if seen and seen.total_work else 0.0

    def path_s(self, task: Task) -> float:
        """The expected duration, or the stage's assumed one without observations; for critical paths."""
        return self.expected_s(task) or task.stage.row.assumed_s

    def resources(self, task: Task) -> Resources:
        """The request for a task; an adaptive GPU fraction is replaced by the observed peak plus headroom."""
        seen = self._seen.get((task.stage, task.family))
        asked = task.resources
        if not asked.adaptive or not asked.num_gpus or not seen or not seen.gpu_fraction:
            return asked
        sixteenths = min(_FRACTIONS, max(1, math.ceil(seen.gpu_fraction * _HEADROOM * _FRACTIONS)))
        return replace(asked, num_gpus=sixteenths / _FRACTIONS)
