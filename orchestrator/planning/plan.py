"""What a plan is, and what it depends on besides the sweep file. Knows no sweep file and makes no task."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.resources import Resources
from jobs.spec.protocols import NO_PROTOCOL
from jobs.stages.base import JoiningParams
from jobs.stages.table import StageKind, stage_for
from jobs.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEnvironment:
    """What a plan depends on besides the sweep file.

    Attributes:
        device: Device class of the accelerated stages: `cpu` or `cuda`.
        torch_version: Part of every key.
        ortools_version: Part of the keys of tasks that ask a solver.
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
class PlannedPoint:
    """One point of a curve before it is measured.

    Attributes:
        compression: The compression asked for, in [0, 1).
        key: The `evaluate` task that measures it.
    """

    compression: float
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCurve:
    """One curve before it is measured. The first five fields name it within its sweep.

    Attributes:
        points: By rising compression or not, as the sweep lists them.
        settings: What the tasks that make its points are told, flat (`lineage.settings_of`); filled in for the record.
    """

    model: str
    dataset: str
    method: str
    protocol: str
    seed: int
    points: tuple[PlannedPoint, ...]
    settings: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def label(self) -> str:
        """`model/method/protocol/seed`, as people read it; `none` is no protocol."""
        protocol = "" if self.protocol == NO_PROTOCOL else f"/{self.protocol}"
        return f"{self.model}/{self.method}{protocol}/seed{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A sweep's DAG.

    Tasks that appear while it runs are not in it: they follow from what others measure (`jobs.task.joined_tasks`).

    Attributes:
        tasks: Key -> task, inputs before the tasks that read them.
        curves: The curves, whose points name their `evaluate` tasks.
        asked: How many tasks of each stage the curves ask for, before equal ones are joined.
        resources: What tasks of each stage ask of the cluster, those included that will appear.
        environment: What it depends on besides the sweep file.
    """

    tasks: Mapping[str, Task]
    curves: tuple[PlannedCurve, ...]
    asked: Mapping[StageKind, int]
    resources: Mapping[StageKind, Resources]
    environment: PlanEnvironment

    @property
    def requests(self) -> set[tuple[StageKind, Resources]]:
        """What tasks ask of the cluster, with their stages; those included that may appear."""
        asked = {(task.stage, task.resources) for task in self.tasks.values()}
        joining = {type(task.params) for task in self.tasks.values() if isinstance(task.params, JoiningParams)}
        appearing = {stage_for(each.adds) for each in joining}
        return asked | {(stage, self.resources[stage]) for stage in appearing}

    @property
    def targets(self) -> tuple[str, ...]:
        """Keys of the tasks that the curves want, each once, in plan order."""
        return tuple(dict.fromkeys(point.key for curve in self.curves for point in curve.points))
