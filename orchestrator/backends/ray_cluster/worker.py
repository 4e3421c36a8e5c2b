"""The code that runs in Ray worker processes: it executes bundles of tasks and returns their outcomes."""

import os
import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import ray

from jobs.outcome import Cause, Failed, Outcome
from jobs.task import Task
from orchestrator.backends.ray_cluster.machines import Machines
from orchestrator.backends.ray_cluster.notice import handed_over, heed_notice
from orchestrator.store import ArtifactStore, Fence, LeaseTerm, open_store
from workers.attempt.entry import Provenance, StageOf, run_task

GPU_TASKS_PER_PROCESS = 100
"""After this many Ray tasks (its `max_calls`) a worker process with a GPU is replaced, which frees all its memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """What a worker needs besides the task; it is shipped once, with the remote function.

    Attributes:
        storage: URI of the store.
        provenance: Recorded in the manifests.
        term: The driver's lease term; without one, tasks are not asked to stop and every result may be committed.
    """

    storage: str
    provenance: Provenance
    term: LeaseTerm | None = None


Execute = Callable[[Task, WorkerConfig], Outcome]


@cache
def cached_store(storage: str) -> ArtifactStore:
    """The store at a URI, opened once per process."""
    return open_store(storage)


@cache
def cached_fence(storage: str, term: LeaseTerm) -> Fence:
    """The fence of a lease term, one per process: it limits how often the store is asked."""
    return Fence(cached_store(storage).files, term)


def execute(task: Task, config: WorkerConfig, stage_of: StageOf | None = None) -> Outcome:
    """Run one task; the fence of its driver's lease decides whether it may go on and commit.

    A worker that is told to end lets long stages save their progress, and hands the task over.

    Args:
        task: The task.
        config: The worker's configuration.
        stage_of: The function that runs a stage; default: those of `workers.stages`.
    """
    elsewhere = Machines(task.resources) if task.resources.nodes > 1 else None
    run = partial(
        run_task,
        task,
        cached_store(config.storage),
        provenance=config.provenance,
        stage_of=stage_of,
        elsewhere=elsewhere,
    )
    with heed_notice() as told:
        if config.term is None:
            outcome = run(should_stop=told)
        else:
            fence = cached_fence(config.storage, config.term)
            outcome = run(should_stop=lambda: told() or fence.should_stop(), may_commit=fence.may_commit)
        return handed_over(outcome) if told() else outcome


def run_bundle(pickled: bytes, config: WorkerConfig, execute: Execute) -> bytes:
    """Run a bundle, task after task. After an error that stays with the process nothing more runs in it.

    Tasks and outcomes are passed as bytes, which Ray does not pickle again: its own pickler, made for closures, costs
    more than an empty task.

    Args:
        pickled: The tasks.
        config: The worker's configuration.
        execute: Called for each task.

    Returns:
        The outcomes, pickled, in the order of the tasks.
    """
    tasks: list[Task] = pickle.loads(pickled)
    outcomes: list[Outcome] = []
    for task in tasks:
        outcomes.append(replace(_attempt(task, config, execute), node=_node()))
        if _is_sticky(outcomes[-1]):
            _end_after_this_bundle()
            outcomes += [_lost_with(outcomes[-1], each) for each in tasks[len(outcomes) :]]
            break
    return pickle.dumps(outcomes)


def hide_gpus() -> None:
    """Hide all GPUs from a task that requested none: Ray leaves the variable unset, which exposes all of them."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def _attempt(task: Task, config: WorkerConfig, execute: Execute) -> Outcome:
    try:
        return execute(task, config)
    except Exception as error:  # a store that cannot be opened, or the like: the rest of the bundle still runs
        return Failed(
            key=task.key,
            cause=Cause.TRANSIENT if isinstance(error, OSError) else Cause.BUG,
            message=f"{type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
        )


def _is_sticky(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.sticky


def _lost_with(outcome: Outcome, task: Task) -> Outcome:
    message = "not begun: the task before it in this process broke the context of the GPU"
    return Failed(key=task.key, cause=Cause.PREEMPTED, message=message, node=outcome.node, together=True)


def _end_after_this_bundle() -> None:
    """Have Ray end this process once the bundle's outcomes are sent, as it does after `max_calls`, counted here."""
    counter: Any = ray._private.worker.global_worker.function_actor_manager
    counter.get_task_counter = lambda function: GPU_TASKS_PER_PROCESS


@cache
def _node() -> str:
    return str(ray.get_runtime_context().get_node_id())
