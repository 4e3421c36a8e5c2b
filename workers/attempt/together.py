"""A task that trains in several processes: what its stage uses of that, in the first process and in the others."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import torch

from jobs.artifact import Store
from jobs.task import Task
from workers.artifacts import ArtifactReader
from workers.attempt.device import device_of
from workers.attempt.launching import leading
from workers.attempt.others import Elsewhere, Join
from workers.checkpoints import Checkpoint
from workers.parallel import Processes, alone
from workers.stages import Context, stage_function


def together(
    task: Task, store: Store, device: torch.device, elsewhere: Elsewhere | None = None
) -> Callable[[], AbstractContextManager[Processes]]:
    """Within what this returns is called for, the processes of a task train together.

    Args:
        task: The task, of which this is the first process.
        store: Where its inputs are, also for the others.
        device: Where this process computes.
        elsewhere: The task's other machines, if it has some.
    """
    if task.resources.processes == 1:
        return alone
    return partial(leading, task.resources, device, partial(_follow, task, store), elsewhere)


def _follow(task: Task, store: Store, number: int, join: Join) -> None:
    """What the other processes do: the same stage, which only the first process stops, and which keeps nothing."""
    device = device_of(task, number)
    context = Context(
        task=task,
        params=task.params,
        artifacts=ArtifactReader(store),
        device=device,
        should_stop=lambda: False,
        checkpoint=Checkpoint(load=lambda: None, save=lambda content: None, interval_s=math.inf),
        together=partial(join, device),
    )
    stage_function(task.stage)(context)
