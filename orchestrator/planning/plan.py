"""The records of a plan, and of what it depends on besides the sweep file."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from jobs.identity import Parsed
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
        ortools_version: Part of the keys of tasks that use a solver.
        data: Fingerprint of the sweep's data set.
        weights: Model name -> what identifies its weights (`jobs.weights.weights_fingerprint`).
        sources: Import path of the user's own code -> its fingerprint (`jobs.sources`); network of a library, or a
            package that measures -> its version.
        modules: Import path of the user's own code -> its modules -> their digests. No key depends on it: it tells what
            has changed since.
        own_data: Fingerprints of data sets that are not the sweep's, by their path in the file: `models.NAME.data`.
        onnx: Versions of what writes, quantises and runs ONNX graphs; part of the keys of tasks that do.
    """

    device: str
    torch_version: str
    ortools_version: str
    data: str
    weights: Mapping[str, str]
    sources: Mapping[str, str]
    onnx: str = ""
    own_data: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPoint:
    """One point of a curve, before it is measured.

    Attributes:
        compression: The target compression, in [0, 1).
        key: The `evaluate` task that measures it.
        further: The tasks that measure more of the same network (its quantisation, its times): stage and key.
    """

    compression: float
    key: str
    further: tuple[tuple[str, str], ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All tasks that measure it, `evaluate` first."""
        return (self.key, *(key for _, key in self.further))

    @classmethod
    def from_json(cls, value: Parsed) -> "PlannedPoint":
        """The point whose fields a sweep's record has."""
        return cls(**{**value, "further": tuple((stage, key) for stage, key in value.get("further", ()))})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCurve:
    """One curve, before it is measured. The first five fields identify it within its sweep.

    Attributes:
        points: In the order in which the sweep lists its compressions.
        dense: Whether it is of the dense network, whatever was done to that afterwards.
        baseline: Whether it is no network of the model's, but what these are to beat: bicubic enlargement. It is shown,
            and never chosen.
        control: The protocol of the dense network that it is compared with: after a transfer, that transfer; else none.
        labels: What its model is one of many by.
        settings: The flat parameters of the tasks behind its points (`lineage.settings_of`); set in the sweep's record.
    """

    model: str
    dataset: str
    method: str
    protocol: str
    seed: int
    points: tuple[PlannedPoint, ...]
    dense: bool = False
    baseline: bool = False
    control: str = NO_PROTOCOL
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    settings: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def label(self) -> str:
        """`model/method/protocol/seed`, without the protocol where it is `none`."""
        protocol = "" if self.protocol == NO_PROTOCOL else f"/{self.protocol}"
        return f"{self.model}/{self.method}{protocol}/seed{self.seed}"

    @property
    def is_control(self) -> bool:
        """Whether it is the dense network that others are compared with."""
        return self.dense and self.protocol == self.control


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A sweep's DAG.

    Appearing tasks are not in it: they depend on measurements of others (`jobs.task.joined_tasks`).

    Attributes:
        tasks: Key -> task, inputs before the tasks that read them.
        curves: The curves, whose points name the tasks that measure them.
        asked: How many tasks of each stage the curves request, before deduplication.
        resources: What tasks of each stage request from the cluster, appearing tasks included.
        environment: What it depends on besides the sweep file.
    """

    tasks: Mapping[str, Task]
    curves: tuple[PlannedCurve, ...]
    asked: Mapping[StageKind, int]
    resources: Mapping[StageKind, Resources]
    environment: PlanEnvironment

    def requests(self, tasks: Collection[Task]) -> set[tuple[StageKind, Resources]]:
        """The resource requests of tasks of this plan with their stages, tasks that appear for them included."""
        asked = {(task.stage, task.resources) for task in tasks}
        joining = {type(task.params) for task in tasks if isinstance(task.params, JoiningParams)}
        appearing = {stage_for(each.adds) for each in joining}
        return asked | {(stage, self.resources[stage]) for stage in appearing}

    @property
    def targets(self) -> tuple[str, ...]:
        """Keys of the tasks that measure the curves' points, without duplicates, in plan order."""
        return tuple(dict.fromkeys(key for curve in self.curves for point in curve.points for key in point.keys))
