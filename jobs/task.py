"""A task: one stage applied to given parameters and inputs, named by its content key.

The key covers everything that can change the result and nothing else. What only says where or how fast
(`resources`, `locations`, `label`, `work`) stands beside it. This module runs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from jobs.identity import Json, content_key


class StageKind(StrEnum):
    """The stages, in the order in which a network passes through them."""

    TRAIN = "train"
    CONVERT = "convert"
    ORDER = "order"
    PERMUTE = "permute"
    CHOOSE = "choose"
    OBSERVE = "observe"
    SCORE = "score"
    SENSE = "sense"
    PROFILE = "profile"
    TUNE = "tune"
    PRUNE = "prune"
    RECONSTRUCT = "reconstruct"
    RECALIBRATE = "recalibrate"
    REPAIR = "repair"
    APPLY = "apply"
    EVALUATE = "evaluate"


STAGE_VERSIONS: Mapping[StageKind, int] = {
    StageKind.TRAIN: 4,
    StageKind.CONVERT: 2,
    StageKind.ORDER: 3,
    StageKind.PERMUTE: 3,
    StageKind.CHOOSE: 1,
    StageKind.OBSERVE: 1,
    StageKind.SCORE: 1,
    StageKind.SENSE: 1,
    StageKind.PROFILE: 1,
    StageKind.TUNE: 3,
    StageKind.PRUNE: 4,
    StageKind.RECONSTRUCT: 2,
    StageKind.RECALIBRATE: 1,
    StageKind.REPAIR: 1,
    StageKind.APPLY: 1,
    StageKind.EVALUATE: 3,
}
"""Raise a stage's number when its code changes the numbers that it returns: the old results stay, unused."""

ACCELERATED = frozenset(
    {
        StageKind.TRAIN,
        StageKind.CONVERT,
        StageKind.CHOOSE,
        StageKind.OBSERVE,
        StageKind.SENSE,
        StageKind.PROFILE,
        StageKind.TUNE,
        StageKind.RECONSTRUCT,
        StageKind.RECALIBRATE,
        StageKind.REPAIR,
        StageKind.APPLY,
        StageKind.EVALUATE,
    }
)
"""Stages that run on a GPU where there is one; the others are CPU work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a task asks of the cluster.

    Attributes:
        num_cpus: CPU slots; also the number of threads that the task uses.
        num_gpus: GPUs, fractions allowed.
        memory_bytes: Memory to reserve; 0 reserves none.
        adaptive: `num_gpus` is a first guess, which the scheduler may replace by what it has learnt.
    """

    num_cpus: float = 1.0
    num_gpus: float = 0.0
    memory_bytes: int = 0
    adaptive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One unit of work. Make it with `make_task`, which gives it its key.

    Attributes:
        key: Content key, `KEY_LENGTH` hexadecimal characters.
        stage: Which stage runs.
        params: Every parameter that can change the result.
        inputs: Role -> key of the task whose artifact is read in that role.
        environment: The part of the environment that changes numbers (torch version, dtype, device class).
        resources: What it asks of the cluster.
        locations: Where inputs from outside lie (data root, checkpoint URI); their content is in `params`.
        label: For people: model, method, compression, seed of the first curve that asked for it.
        family: Tasks of one stage and family are alike in what they take: the model's name in the sweep.
        work: Hint of its cost among its siblings; larger ones start first.
    """

    key: str
    stage: StageKind
    params: Mapping[str, Json]
    inputs: Mapping[str, str]
    environment: Mapping[str, str]
    resources: Resources = field(default_factory=Resources)
    locations: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    family: str = ""
    work: float = 1.0

    def identity(self) -> dict[str, Json]:
        """What the key is made of."""
        return _identity(self.stage, self.params, self.inputs, self.environment)


def _identity(
    stage: StageKind, params: Mapping[str, Json], inputs: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, Json]:
    return {
        "stage": stage.value,
        "version": STAGE_VERSIONS[stage],
        "params": params,
        "inputs": inputs,
        "environment": environment,
    }


def make_task(
    stage: StageKind,
    *,
    params: Mapping[str, Json],
    inputs: Mapping[str, str],
    environment: Mapping[str, str],
    resources: Resources | None = None,
    locations: Mapping[str, str] | None = None,
    label: str = "",
    family: str = "",
    work: float = 1.0,
) -> Task:
    """A task with the key that its identity gives it. See `Task` for the arguments."""
    return Task(
        key=content_key(_identity(stage, params, inputs, environment)),
        stage=stage,
        params=params,
        inputs=inputs,
        environment=environment,
        resources=resources or Resources(),
        locations=locations or {},
        label=label,
        family=family,
        work=work,
    )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSize:
    """A channel group as the scheduler sees it: its name and its number of channels."""

    name: str
    width: int


_NARROW, _BATCH = 128, 256  # channels: a group below the first shares a task, which has so many at most


def order_tasks(permute: Task, groups: Sequence[GroupSize], resources: Resources | None = None) -> tuple[Task, ...]:
    """The `order` tasks that a `permute` task joins: every channel group is in one of them.

    They cannot be planned before `convert` has listed the groups, yet their keys follow from the permute task
    and the list alone. So the scheduler (to run them) and the permute stage (to read them) both ask here, and
    the permute task's own key needs no knowledge of them.

    A wide group has a task to itself. Narrow ones share tasks: to read the network and to commit takes as long as to
    order some of them.

    Args:
        permute: The task that joins them.
        groups: What `convert` listed, in its order.
        resources: What each asks of the cluster.
    """
    return tuple(
        make_task(
            StageKind.ORDER,
            params={
                "groups": [group.name for group in batch],
                "ordering": permute.params["ordering"],
                "seed": permute.params["seed"],
            },
            inputs={"network": permute.inputs["network"]},
            environment=permute.environment,
            resources=resources,
            label=f"{permute.label} {batch[0].name}" + (f" and {len(batch) - 1} more" if len(batch) > 1 else ""),
            family=permute.family,
            work=sum(float(group.width) ** 2 for group in batch),
        )
        for batch in _batches(groups)
    )


def _batches(groups: Sequence[GroupSize]) -> list[list[GroupSize]]:
    """The wide groups, each alone, and the narrow ones in their order, as many together as fit."""
    batches = [[group] for group in groups if group.width >= _NARROW]
    shared: list[GroupSize] = []
    for group in groups:
        if group.width >= _NARROW:
            continue
        if shared and sum(each.width for each in shared) + group.width > _BATCH:
            batches.append(shared)
            shared = []
        shared.append(group)
    return [*batches, shared] if shared else batches
