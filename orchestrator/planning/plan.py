"""What a plan is, and what it depends on besides the sweep file. Knows no sweep file and makes no task."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.task import Resources, StageKind, Task
from orchestrator.results import PlannedCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a plan depends on besides the sweep file.

    Attributes:
        device: Device class of the accelerated stages: `cpu` or `cuda`.
        torch_version: Part of every key.
        ortools_version: Part of the keys of orderings.
        data: Fingerprint of the data set.
        weights: Model name -> fingerprint of its checkpoint.
        sources: Import path of the user's own code -> fingerprint of its module.
    """

    device: str
    torch_version: str
    ortools_version: str
    data: str
    weights: Mapping[str, str]
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A sweep's DAG.

    The `order` tasks are not in it: they follow from what `convert` finds (`jobs.task.order_tasks`).

    Attributes:
        tasks: Key -> task, inputs before the tasks that read them.
        curves: The curves, whose points name their `evaluate` tasks.
        asked: How many tasks of each stage the curves ask for, before equal ones are joined.
        order_resources: What each `order` task will ask of the cluster.
        surroundings: What it depends on besides the sweep file.
    """

    tasks: Mapping[str, Task]
    curves: tuple[PlannedCurve, ...]
    asked: Mapping[StageKind, int]
    order_resources: Resources
    surroundings: Surroundings

    @property
    def targets(self) -> tuple[str, ...]:
        """Keys of the tasks that the curves want, each once, in plan order."""
        return tuple(dict.fromkeys(point.key for curve in self.curves for point in curve.points))
