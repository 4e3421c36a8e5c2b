"""A task: one stage applied to given parameters, identified by its content key.

The key covers everything that can change the result and nothing else: not where or how fast the task runs
(`resources`, `locations`, `label`, `work`), and not which inputs are `absent`, which follows from their keys.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from jobs.identity import Json, content_key
from jobs.resources import Resources
from jobs.stages.base import JoiningParams, StageParams
from jobs.stages.table import StageKind, stage_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """Where inputs from outside the store are; their fingerprints are among a task's parameters.

    Attributes:
        data: Folder of the data set.
        data_workers: Processes that read it.
        evaluation_batch_size: Samples of a pass that evaluates a network in training or tuning: what memory allows.
        weights: URI of a checkpoint, or what the sweep file says in the place of one (`jobs.weights`).
    """

    data: str | None = None
    data_workers: int = 0
    evaluation_batch_size: int = 256
    weights: str | None = None


NOWHERE = Locations()
"""For tasks that only read artifacts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One unit of work. Create it with `make_task`, which computes its key.

    Attributes:
        key: Content key, `KEY_LENGTH` hexadecimal characters.
        stage: Which stage runs.
        params: Every parameter that can change the result.
        inputs: Role -> key of the task whose artifact is read in that role, from the parameters.
        environment: The part of the environment that changes numbers (torch version, dtype, device class).
        resources: What it requests from the cluster.
        locations: Where inputs from outside the store are.
        label: For people: model, method, compression, seed of the first curve that asked for it.
        family: Tasks of one stage and family are expected to cost the same: the model's name in the sweep.
        work: Its relative cost within its family; larger tasks start first.
        absent: Of a lenient stage: keys of inputs that cannot be made, since what makes them fails for a cause that
            lies in it.
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
    absent: frozenset[str] = frozenset()

    def identity(self) -> dict[str, Json]:
        """The fields that the key is computed from."""
        return _identity(self.stage, self.params, self.environment)


def _identity(stage: StageKind, params: StageParams, environment: Mapping[str, str]) -> dict[str, Json]:
    identity: dict[str, Json] = {
        "stage": stage.value,
        "version": stage.row.version,
        "params": params.document(),
        "environment": environment,
    }
    return identity if params.revision is None else {**identity, "revision": params.revision}


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
    """Create a task and compute its key. See `Task` for the arguments.

    Args:
        params: The parameters of its stage.
        environment: The part of the environment that changes numbers.
        stage: Default: the stage that the table has for such parameters.
        resources: Default: one CPU.
        locations: Of inputs from outside the store.
        label: For people.
        family: Of tasks that are expected to cost the same.
        work: Its relative cost.
    """
    kind = stage or stage_of(params)
    return Task(
        key=content_key(_identity(kind, params, environment)),
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
    """The appearing tasks that a joining task waits for besides its inputs; none for any other task.

    They depend on the measurements of the source, so they cannot be planned beforehand; their keys follow from the
    joining task and those measurements alone. The scheduler, the joining stage and `orchard gc` all derive them here.

    Args:
        task: The joining task.
        measured: The measurements of its source (`JoiningParams.source`).
        resources: What tasks of each stage request from the cluster.
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
    """One run of a task, as the scheduler submits it to a backend.

    Attributes:
        task: The task.
        number: From 1.
        resources: What this attempt requests; more than the task's own after it ran out of memory.
        avoid: Nodes (the cluster's names) that it must not run on.
        expected_s: Expected duration in seconds; 0 where unknown.
    """

    task: Task
    number: int = 1
    resources: Resources
    avoid: frozenset[str] = frozenset()
    expected_s: float = 0.0

    @property
    def granted(self) -> Task:
        """The task with the resources of this attempt."""
        return self.task if self.resources == self.task.resources else replace(self.task, resources=self.resources)
