"""What past attempts tell of those to come: how long tasks take, and how much of a GPU they need.

Tasks of one stage and family (a model of the sweep) are expected to be alike. Knows outcomes; knows no journal: whoever
reads one tells it here.
"""

import math
from collections import defaultdict
from dataclasses import dataclass

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
    """Collects what attempts took. Rates are means over all that was seen; GPU memory is the largest peak."""

    def __init__(self) -> None:
        self._seen: defaultdict[tuple[StageKind, str], _Seen] = defaultdict(_Seen)

    def observe(self, stage: StageKind, family: str, *, duration_s: float, work: float, usage: Usage) -> None:
        """Take in an attempt that succeeded."""
        seen = self._seen[stage, family]
        seen.count += 1
        seen.total_s += duration_s
        seen.total_work += work
        seen.gpu_fraction = max(seen.gpu_fraction, usage.gpu_fraction)

    def expected_s(self, task: Task) -> float:
        """How long a task will take, in seconds; 0 where none of its like was seen."""
        seen = self._seen.get((task.stage, task.family))
        return seen.total_s / seen.total_work * task.work if seen else 0.0

    def path_s(self, task: Task) -> float:
        """The same with a guess where nothing was seen: for comparing ways through the DAG."""
        return self.expected_s(task) or task.stage.row.assumed_s

    def resources(self, task: Task) -> Resources:
        """What to ask for: the task's request, its GPU fraction replaced by what its like needed where it may be."""
        seen = self._seen.get((task.stage, task.family))
        asked = task.resources
        if not asked.adaptive or not asked.num_gpus or not seen or not seen.gpu_fraction:
            return asked
        sixteenths = min(_FRACTIONS, max(1, math.ceil(seen.gpu_fraction * _HEADROOM * _FRACTIONS)))
        return Resources(
            num_cpus=asked.num_cpus,
            num_gpus=sixteenths / _FRACTIONS,
            memory_bytes=asked.memory_bytes,
            adaptive=True,
        )
