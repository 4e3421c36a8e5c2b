"""A task: one stage applied to given parameters, named by its content key.

The key covers everything that can change the result and nothing else. What only says where or how fast
(`resources`, `locations`, `label`, `work`) stands beside it. This module runs nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from jobs.identity import Json, content_key
from jobs.resources import Resources
from jobs.stages.base import JoiningParams, StageParams
from jobs.stages.table import StageKind, stage_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """Where inputs from outside the store lie; their content is in a task's parameters.

    Attributes:
        data: Folder of the data set.
        weights: URI of a checkpoint.
    """

    data: str | None = None
    weights: str | None = None


NOWHERE = Locations()
"""For tasks that read artifacts only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One unit of work. Make it with `make_task`, which gives it its key.

    Attributes:
        key: Content key, `KEY_LENGTH` hexadecimal characters.
        stage: Which stage runs.
        params: Every parameter that can change the result.
        inputs: Role -> key of the task whose artifact is read in that role: those that the parameters name.
        environment: The part of the environment that changes numbers (torch version, dtype, device class).
        resources: What it asks of the cluster.
        locations: Where inputs from outside lie.
        label: For people: model, method, compression, seed of the first curve that asked for it.
        family: Tasks of one stage and family are alike in what they take: the model's name in the sweep.
        work: Hint of its cost among its siblings; larger ones start first.
    """

    key: str
    stage: StageKind
    params: StageParams
    inputs: Mapping[str, str]
    environment: Mapping[str, str]
    resources: Resources = field(default_factory=Resources)
    locations: Locations = NOWHERE
    label: str = ""
    family: str = ""
    work: float = 1.0

    def identity(self) -> dict[str, Json]:
        """What the key is made of."""
        return _identity(self.stage, self.params.document(), self.environment)


def _identity(stage: StageKind, document: Mapping[str, Json], environment: Mapping[str, str]) -> dict[str, Json]:
    return {"stage": stage.value, "version": stage.row.version, "params": document, "environment": environment}


def make_task(
    params: StageParams,
    *,
    environment: Mapping[str, str],
    stage: StageKind | None = None,
    resources: Resources | None = None,
    locations: Locations = NOWHERE,
    label: str = "",
    family: str = "",
    work: float = 1.0,
) -> Task:
    """A task with the key that its identity gives it.

    Args:
        params: Of its stage.
        environment: See `Task`, as for all others.
        stage: Which one runs; default: the one that the table of stages has for such parameters.
        resources: Default: one CPU.
        locations: Of inputs from outside the store.
        label: For people.
        family: Of tasks that are alike.
        work: Hint of its cost.
    """
    kind = stage or stage_of(params)
    document = params.document()
    return Task(
        key=content_key(_identity(kind, document, environment)),
        stage=kind,
        params=params,
        inputs=params.inputs(),
        environment=environment,
        resources=resources or Resources(),
        locations=locations,
        label=label,
        family=family,
        work=work,
    )


def joined_tasks(
    task: Task, measured: Mapping[str, Json], resources: Mapping[StageKind, Resources] | None = None
) -> tuple[Task, ...]:
    """The tasks that a task joins besides its inputs; none for one that joins no others.

    They cannot be planned before the source has measured what they depend on, yet their keys follow from the joining
    task and those measurements alone: who runs them, who reads them and who keeps them all ask here.

    Args:
        task: The one that joins them.
        measured: By its source (`JoiningParams.source`).
        resources: What tasks of each stage ask of the cluster.
    """
    if not isinstance(task.params, JoiningParams):
        return ()
    return tuple(
        make_task(
            branch.params,
            environment=task.environment,
            resources=(resources or {}).get(stage_of(branch.params)),
            label=f"{task.label} {branch.name}",
            family=task.family,
            work=branch.work,
        )
        for branch in task.params.branches(measured)
    )


def appearing_tasks(task: Task, measured: Mapping[str, Json]) -> Iterator[Task]:
    """The tasks that a task joins, and those that they join in turn; arguments as of `joined_tasks`."""
    for each in joined_tasks(task, measured):
        yield each
        yield from appearing_tasks(each, measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run of a task, as the scheduler hands it to a backend.

    Attributes:
        task: What runs.
        number: From 1.
        resources: What this attempt asks of the cluster; more than the task's own after it ran out of memory.
        avoid: Nodes (the cluster's names) that it must not run on.
        expected_s: How long it will take, as far as known; 0 where nothing is known.
    """

    task: Task
    number: int = 1
    resources: Resources
    avoid: frozenset[str] = frozenset()
    expected_s: float = 0.0

    @property
    def granted(self) -> Task:
        """The task with what this attempt asks of the cluster."""
        return self.task if self.resources == self.task.resources else replace(self.task, resources=self.resources)
