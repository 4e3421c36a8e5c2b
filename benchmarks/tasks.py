"""Tasks that do nothing, for the benchmarks of the orchestration."""

from dataclasses import dataclass

from jobs.stages.base import StageParams
from jobs.stages.table import StageKind
from jobs.task import Task, make_task


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedParams(StageParams):
    """Sets tasks apart and tells their stage nothing."""

    number: int
    salt: int


def numbered_tasks(count: int, salt: int) -> dict[str, Task]:
    """Tasks that differ in their keys only, those of other salts included."""
    environment = {"torch": "any", "dtype": "float32", "device": "cpu"}
    tasks = [
        make_task(NumberedParams(number=number, salt=salt), stage=StageKind.SCORE, environment=environment)
        for number in range(count)
    ]
    return {task.key: task for task in tasks}
