"""Tasks whose parameters are whatever a test says, for tests of what plans, schedules, stores and runs any task."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jobs.identity import Json
from jobs.resources import Resources
from jobs.spec.effort import EFFORTS
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.channels import OrderingParams, PermuteParams
from jobs.stages.table import StageKind
from jobs.task import NOWHERE, Locations, Task, make_task

ENVIRONMENT = {"torch": "any", "dtype": "float32", "device": "cpu"}
ORDERING = OrderingParams(method="tsp", metric="l2", normalize="none", limits=EFFORTS["fast"], ortools="9")


@dataclass(frozen=True, kw_only=True)
class PlainParams(StageParams):
    """Any fields at all; those of type `ArtifactKey` are inputs, as everywhere."""

    named: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Json]:
        return {name: value for name, value in {"seed": self.seed, **self.named}.items() if value is not None}

    def inputs(self) -> dict[str, str]:
        return {role: value for role, value in self.named.items() if isinstance(value, ArtifactKey)}

    def __getattr__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self, "named")[name]
        except KeyError:
            raise AttributeError(name) from None


def plain_task(
    stage: StageKind,
    *,
    inputs: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    resources: Resources | None = None,
    locations: Locations = NOWHERE,
    label: str = "",
    family: str = "",
    work: float = 1.0,
    **values: Any,
) -> Task:
    """A task of any stage; equal ones have equal keys.

    Args:
        stage: Which it pretends to be.
        inputs: Role -> key of the tasks that it reads.
        environment: Default: `ENVIRONMENT`.
        resources: See `make_task`, as for all others.
        locations: Of inputs from outside.
        label: For people.
        family: Of tasks that are alike.
        work: Hint of its cost.
        **values: Its parameters.
    """
    roles = {role: ArtifactKey(key) for role, key in (inputs or {}).items()}
    return make_task(
        PlainParams(seed=values.pop("seed", None), named={**values, **roles}),
        stage=stage,
        environment=ENVIRONMENT if environment is None else environment,
        resources=resources,
        locations=locations,
        label=label,
        family=family,
        work=work,
    )


def plain_tasks(count: int, stage: StageKind = StageKind.SCORE, **more: Any) -> dict[str, Task]:
    """By key, tasks that differ in their number `n` alone."""
    tasks = [plain_task(stage, n=n, **more) for n in range(count)]
    return {task.key: task for task in tasks}


def permute_task(source: str, *, seed: int | None = 0, label: str = "", **ordering: Any) -> Task:
    """A task that joins the `order` tasks of the groups that `source` measures."""
    params = PermuteParams(network=ArtifactKey(source), ordering=replace(ORDERING, **ordering), seed=seed)
    return make_task(params, environment=ENVIRONMENT, label=label)
