"""What tests ask of plans, of which nothing is run."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from jobs.stages.table import StageKind
from jobs.task import Task
from orchestrator.planning import Plan, PlanEnvironment, PlannedCurve, PlannedPoint

ENVIRONMENT = PlanEnvironment(device="cpu", torch_version="2.0", ortools_version="9", data="d", weights={}, sources={})


def planned_curve(method: str, points: Iterable[PlannedPoint], *, seed: int = 0, model: str = "net", **fields: Any):
    """A curve of digits before it is measured; that of the method `dense` is of the dense network."""
    defaults = {"dataset": "digits", "protocol": "none", "dense": method == "dense"}
    return PlannedCurve(method=method, model=model, seed=seed, points=tuple(points), **(defaults | fields))


def tasks_of(plan: Plan, stage: StageKind) -> list[Task]:
    return [task for task in plan.tasks.values() if task.stage is stage]


def curve_of(plan: Plan, method: str, protocol: str = "none"):
    """The one curve of a method with a protocol."""
    (curve,) = (each for each in plan.curves if (each.method, each.protocol) == (method, protocol))
    return curve


def back(plan: Plan, task: Task, steps: int = 1) -> Task:
    """The task that left the network which a task reads; of several steps, the one so far behind it."""
    for _ in range(steps):
        task = plan.tasks[task.inputs.get("network") or task.inputs["procedure.network"]]
    return task


def line_of(plan: Plan, key: str) -> list[Task]:
    """A task and all behind it, from one network to the one that it was made from."""
    line = [plan.tasks[key]]
    while {"network", "procedure.network"} & line[-1].inputs.keys():
        line.append(back(plan, line[-1]))
    return line


def stages_on_the_way(plan: Plan, key: str) -> list[str]:
    """The stages of that line."""
    return [task.stage.value for task in line_of(plan, key)]


def by_stage(plan) -> dict[str, int]:
    """Tasks of each stage."""
    return {stage.value: count for stage, count in Counter(task.stage for task in plan.tasks.values()).items()}
