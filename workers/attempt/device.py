"""The device of a task, and as many threads as it has CPU slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.errors import BadInputError
from jobs.resources import Resources
from jobs.task import Task

if TYPE_CHECKING:
    import torch


def device_of(task: Task) -> torch.device:
    """The device that a task was planned for; torch gets as many threads as the task has CPU slots.

    Networks compute in full single precision unless their task says otherwise.

    Raises:
        BadInputError: It was planned for a GPU, and there is none.
    """
    import torch

    from workers.precision import compute_in_full

    compute_in_full()
    _limit_threads(task.resources)
    name = task.environment["device"]
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInputError(
            f"{task.stage} {task.label}: planned for cuda, but this worker sees no GPU; "
            "set device: cpu, or give the stage a GPU in `resources`"
        )
    return torch.device(name)


def _limit_threads(resources: Resources) -> None:
    import torch

    threads = max(1, int(resources.num_cpus))
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
