"""The device of a task, and as many threads as it has CPU slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.errors import UnfitMachineError
from jobs.task import Task

if TYPE_CHECKING:
    import torch


def device_of(task: Task, number: int = 0) -> torch.device:
    """The device that a task was planned for; torch gets as many threads as the task has CPU slots.

    Networks compute in full single precision unless their task says otherwise.

    Args:
        task: The task.
        number: Which of its processes this is; each has a GPU, and threads, of its own.

    Raises:
        UnfitMachineError: It was planned for a GPU, and there is none, or were too few for its processes.
    """
    import torch

    from workers.execution import compute_in_full

    compute_in_full()
    _limit_threads(task.resources.threads)
    name = task.environment["device"]
    if name == "cuda" and not torch.cuda.is_available():
        raise UnfitMachineError(
            f"{task.stage} {task.label}: planned for cuda, but this worker sees no GPU; "
            "set device: cpu, or give the stage a GPU in `resources`"
        )
    processes = task.resources.share.processes
    if name == "cuda" and processes > torch.cuda.device_count():
        raise UnfitMachineError(
            f"{task.stage} {task.label}: {processes} processes train together, each on its own GPU, and this worker "
            f"sees {torch.cuda.device_count()}; set resources.{task.stage}.num_gpus to that, or use another machine"
        )
    if name != "cuda" or processes == 1:
        return torch.device(name)
    torch.cuda.set_device(number % processes)
    return torch.device(name, number % processes)


def _limit_threads(threads: int) -> None:
    import torch

    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
